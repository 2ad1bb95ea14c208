import { fireEvent, screen, waitFor } from '@testing-library/react';
import { Widget } from '@lumino/widgets';
import { afterEach, expect, it, vi } from 'vitest';

import { ApiError, type Cluster } from '../api';
import { aCluster, clusterAnswers } from '../testing/clusters';
import { aContext, anApi } from '../testing/fake';
import { CommandIDs } from '../tokens';
import { Clusters } from './model';
import { ClustersSection } from './section';

function show(items: Cluster[] | null, error: ApiError | null = null) {
  const context = aContext(anApi({ clusters: clusterAnswers(items ?? []) }));
  const clusters = new Clusters(context.api, context.overview);
  Object.assign(clusters, { items, error });
  const done = vi.fn();
  for (const id of Object.values(CommandIDs)) {
    context.commands.addCommand(id, { execute: args => done(id, args) });
  }
  const section = new ClustersSection(context, clusters);
  Widget.attach(section, document.body);
  return { section, done };
}

afterEach(() => document.body.replaceChildren());

it('shows a running cluster with state, workers, price and cost in words', async () => {
  const { section } = show([aCluster()]);
  await screen.findByText('Running');
  for (const words of ['Dask', '2/4 workers', '$0.80/h', '$1.20 so far']) {
    expect(screen.getByText(words)).toBeTruthy();
  }
  expect(section.title.label).toBe('Clusters (1)');
  section.dispose();
});

it('shows what a running cluster does as figures', async () => {
  const { section } = show([aCluster()]);
  const cpu = await screen.findByRole('meter', { name: 'CPU' });
  expect(cpu.getAttribute('aria-valuetext')).toBe('62%');
  expect(screen.getByText('31/96 GiB')).toBeTruthy();
  expect(screen.getByText('24/334')).toBeTruthy();
  expect(screen.getByRole('img', { name: 'CPU of the last minutes, now 62%' })).toBeTruthy();
  section.dispose();
});

it('says what a starting cluster waits for, and how far it is', async () => {
  const { section } = show([
    aCluster({ state: 'starting', waiting: 'the scheduler', progress: 0.4, live_workers: 0 })
  ]);
  await screen.findByText('Waiting: the scheduler');
  expect(screen.getByRole('meter').getAttribute('aria-valuenow')).toBe('40');
  section.dispose();
});

it('says why a cluster failed', async () => {
  const { section } = show([aCluster({ state: 'failed', reason: 'There is no Java on this machine.' })]);
  await screen.findByText('There is no Java on this machine.');
  expect(screen.getByText('Failed')).toBeTruthy();
  expect(screen.getByRole('button', { name: 'Start etl-dask' })).toBeTruthy();
  section.dispose();
});

it('counts down when an idle cluster stops, and keeps it', async () => {
  const soon = new Date(Date.now() + 7_500).toISOString();
  const { section, done } = show([aCluster({ state: 'draining', stops_at: soon })]);
  await screen.findByText('Stops in 8 s');
  fireEvent.click(screen.getByRole('button', { name: 'Keep' }));
  expect(done).toHaveBeenCalledWith(CommandIDs.keepCluster, { cluster: 'etl-dask' });
  section.dispose();
});

it.each([
  ['Attach the notebook to etl-dask', CommandIDs.attachCluster],
  ['Dashboard of etl-dask', CommandIDs.openDashboard],
  ['Logs of etl-dask', CommandIDs.openClusterLogs],
  ['Scale etl-dask', CommandIDs.scaleCluster],
  ['Stop etl-dask', CommandIDs.stopCluster],
  ['Delete etl-dask', CommandIDs.deleteCluster]
])('has a button for each thing that can be done: %s', async (name, command) => {
  const { section, done } = show([aCluster()]);
  fireEvent.click(await screen.findByRole('button', { name }));
  expect(done).toHaveBeenCalledWith(command, { cluster: 'etl-dask' });
  section.dispose();
});

it('offers neither dashboard nor scale of one that is stopped', async () => {
  const { section } = show([aCluster({ state: 'stopped', live_workers: 0 })]);
  await screen.findByText('Stopped');
  expect(screen.queryByRole('button', { name: /Dashboard|Scale|Stop / })).toBeNull();
  section.dispose();
});

it('offers no scale of one that has the workers that it has', async () => {
  const { section } = show([aCluster({ engine: 'spark', options: { cores: 2 } })]);
  await screen.findByText('Running');
  expect(screen.queryByRole('button', { name: 'Scale etl-dask' })).toBeNull();
  section.dispose();
});

it('says since when a running one has not answered', async () => {
  const since = new Date(2026, 10, 25, 16, 41).toISOString();
  const { section } = show([aCluster({ silent_since: since })]);
  await screen.findByText('No answer since 16:41.');
  section.dispose();
});

it('says what to do when there is none', async () => {
  const { section, done } = show([]);
  await screen.findByText(/No clusters yet/);
  fireEvent.click(screen.getByRole('button', { name: 'New cluster…' }));
  expect(done).toHaveBeenCalledWith(CommandIDs.newCluster, {});
  section.dispose();
});

it('leaves it to the banner of the panel to say that the server is away', async () => {
  const { section } = show([aCluster()], new ApiError(0, 'offline', 'gone'));
  await screen.findByText('etl-dask');
  expect(screen.queryByRole('alert')).toBeNull();
  section.dispose();
});

it('says why the clusters cannot be told', async () => {
  const { section } = show(null, new ApiError(503, 'unavailable', 'The clusters cannot be read.'));
  await waitFor(() => expect(screen.getByRole('alert').textContent).toContain('cannot be read'));
  section.dispose();
});
