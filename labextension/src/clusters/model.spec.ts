import { expect, it, vi } from 'vitest';

import { ApiError } from '../api';
import { Overview } from '../panel/model';
import { aCluster, clusterAnswers } from '../testing/clusters';
import { anApi, fetched } from '../testing/fake';
import { Clusters } from './model';

function made(items = [aCluster()], change = {}) {
  const answers = clusterAnswers(items, change);
  const api = anApi({ clusters: answers });
  const overview = new Overview(api);
  return { answers, overview, clusters: new Clusters(api, overview) };
}

it('knows clusters and who uses them after the first answer', async () => {
  const attached = { holder: 'kernel-1', kind: 'kernel', cluster: 'etl-dask', person: 'ana' };
  const { clusters } = made([aCluster()], { attachments: () => Promise.resolve({ items: [attached] }) });
  await fetched(clusters);

  expect([clusters.find('etl-dask'), clusters.clusterOf('kernel-1'), clusters.clusterOf('other')]).toEqual([
    aCluster(),
    'etl-dask',
    ''
  ]);
  clusters.dispose();
});

it('keeps what was last known when the server goes away', async () => {
  const { clusters, answers } = made();
  await fetched(clusters);
  answers.list.mockRejectedValueOnce(new ApiError(0, 'offline', 'gone'));
  await fetched(clusters);

  expect([clusters.items, clusters.error?.status]).toEqual([[aCluster()], 0]);
  clusters.dispose();
});

it('asks again when told that a cluster has changed', async () => {
  const { clusters, answers, overview } = made();
  await fetched(clusters);
  overview.announce({ kind: 'run', id: 'run-1' });
  overview.announce({ kind: 'cluster', id: 'etl-dask' });

  await vi.waitFor(() => expect(answers.list).toHaveBeenCalledTimes(2));
  clusters.dispose();
});

it('tells once that an idle cluster is about to stop', async () => {
  const draining = aCluster({ state: 'draining' });
  const { clusters, answers } = made([draining]);
  const told = vi.fn();
  clusters.draining.connect((_, cluster) => told(cluster.name));
  await fetched(clusters);
  await fetched(clusters);
  expect(told.mock.calls).toEqual([['etl-dask']]);

  answers.list.mockResolvedValueOnce({ items: [aCluster()] });
  await fetched(clusters);
  await fetched(clusters);
  expect(told).toHaveBeenCalledTimes(2);
  clusters.dispose();
});

it('shows what a request has answered without waiting for the next look', async () => {
  const stopping = aCluster({ state: 'stopping' });
  const { clusters } = made([aCluster()], { stop: () => Promise.resolve(stopping) });
  await fetched(clusters);
  await clusters.stopCluster('etl-dask');

  expect(clusters.find('etl-dask')).toEqual(stopping);
  clusters.dispose();
});
