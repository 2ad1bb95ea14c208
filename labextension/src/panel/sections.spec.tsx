import { screen, waitFor } from '@testing-library/react';
import { Widget } from '@lumino/widgets';
import { afterEach, expect, it } from 'vitest';

import { ApiError, type Job, type Run } from '../api';
import { aContext, aJob, anApi, aRun } from '../testing/fake';
import { SlipwayWidget } from '../ui/context';
import { jobsSection, Offline, runsSection } from './sections';

function show(known: { jobs?: Job[]; runs?: Run[]; error?: ApiError; asOf?: Date }) {
  const context = aContext(anApi({}));
  Object.assign(context.overview, known);
  const section = known.runs ? runsSection(context) : jobsSection(context);
  Widget.attach(section, document.body);
  Widget.attach(new SlipwayWidget(context, Offline), document.body);
  return section;
}

afterEach(() => {
  document.body.replaceChildren();
});

it('lists a job with its state in words', async () => {
  const last = { id: 'run-1', state: 'failed', duration: 2, queued_at: '2026-11-25T10:00:00Z' };
  const section = show({ jobs: [aJob({ recent: [last] })] });

  await waitFor(() => screen.getByText('delay-model'));
  expect(screen.getByText('Failed')).toBeTruthy();
  expect(screen.getByRole('img', { name: '0 of the last 1 runs succeeded' })).toBeTruthy();
  expect(section.title.label).toBe('Jobs (1)');
});

it('finds by name, owner and state', async () => {
  const section = show({ jobs: [aJob(), aJob({ name: 'churn', owner: 'bo' })] });
  section.setFilter('BO');

  await waitFor(() => screen.getByText('churn'));
  expect(screen.queryByText('delay-model')).toBeNull();
  section.setFilter('nobody');
  await waitFor(() => screen.getByText('Nothing matches ‘nobody’.'));
});

it('says what to do when there is nothing', async () => {
  show({ jobs: [] });
  await waitFor(() => screen.getByText(/No jobs yet/));
});

it('shows progress as a figure', async () => {
  show({ runs: [aRun({ state: 'running', progress: 0.42, progress_text: 'stage 4/8' })] });
  await waitFor(() => screen.getByRole('meter', { name: 'stage 4/8' }));
  expect(screen.getByText('42%')).toBeTruthy();
});

it('says once that the server is away, and since when it shows', async () => {
  show({ jobs: [aJob()], error: new ApiError(0, 'offline', 'x'), asOf: new Date(2026, 10, 25, 10, 42) });
  await waitFor(() => screen.getByText('Server offline, showing 10:42.'));
  expect(screen.getByText('delay-model')).toBeTruthy();
});
