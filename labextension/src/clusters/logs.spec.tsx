import { fireEvent, screen, waitFor } from '@testing-library/react';
import { Widget } from '@lumino/widgets';
import { afterEach, expect, it, vi } from 'vitest';

import type { ClusterLog } from '../api';
import { Overview } from '../panel/model';
import { aCluster, clusterAnswers } from '../testing/clusters';
import { aContext, anApi } from '../testing/fake';
import { LogsView } from './logsPage';
import { Clusters } from './model';

const WRITTEN: Record<string, string> = { scheduler: 'scheduler up\n', workers: 'worker one\nworker two\n' };

/** As the server answers: from the offset on, in pieces of eleven characters. */
function logs(_: string, part: string, offset: number): Promise<ClusterLog> {
  const text = WRITTEN[part || 'scheduler'].slice(offset, offset + 11);
  return Promise.resolve({ text, offset: offset + text.length, parts: ['scheduler', 'workers'] });
}

function show(answer = vi.fn(logs)) {
  const api = anApi({ clusters: clusterAnswers([aCluster()], { logs: answer }) });
  const clusters = new Clusters(api, new Overview(api));
  const view = new LogsView(aContext(api), clusters, 'etl-dask');
  Widget.attach(view, document.body);
  return { answer, view };
}

afterEach(() => document.body.replaceChildren());

it('reads each part to its end, piece by piece, and never twice', async () => {
  const { answer, view } = show();
  await waitFor(() => expect(screen.getByRole('log').textContent).toBe('scheduler up\n'));
  fireEvent.click(screen.getByRole('tab', { name: 'Workers' }));
  await waitFor(() => expect(screen.getByRole('log').textContent).toBe('worker one\nworker two\n'));
  fireEvent.click(screen.getByRole('tab', { name: 'Scheduler' }));

  await waitFor(() => expect(screen.getByRole('log').textContent).toBe('scheduler up\n'));
  expect(answer.mock.calls.filter(([, part, offset]) => part === 'scheduler' && offset === 0)).toHaveLength(
    1
  );
  view.dispose();
});

it('goes from tab to tab by the arrow keys', async () => {
  const { view } = show();
  const first = await screen.findByRole('tab', { name: 'Scheduler' });
  fireEvent.keyDown(first, { key: 'ArrowRight' });
  await waitFor(() =>
    expect(screen.getByRole('tab', { name: 'Workers' }).getAttribute('aria-selected')).toBe('true')
  );
  view.dispose();
});

it('says when a cluster has no logs yet', async () => {
  const { view } = show(vi.fn(() => Promise.resolve({ text: '', offset: 0, parts: [] })));
  await screen.findByText(/has no logs yet/);
  view.dispose();
});
