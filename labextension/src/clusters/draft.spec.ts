import { expect, it, vi } from 'vitest';

import { type Api, ApiError } from '../api';
import { Overview } from '../panel/model';
import { aCluster, aProfile, clusterAnswers } from '../testing/clusters';
import { anApi, trans } from '../testing/fake';
import { ClusterDraft } from './draft';
import { Clusters } from './model';

const spark = aProfile({ name: 'spark', engine: 'spark', schema: {}, defaults: {}, price: 0 });

async function made(
  create: Api['clusters']['create'] = () => Promise.resolve(aCluster({ name: 'flights-dask' })),
  change: Partial<Api['clusters']> = {}
) {
  const asked = vi.fn(create);
  const profiles = () => Promise.resolve({ items: [aProfile(), spark] });
  const answers = clusterAnswers([], { profiles, ...change, create: asked });
  const api = anApi({ clusters: answers });
  const draft = new ClusterDraft(api, new Clusters(api, new Overview(api)), 'a/flights.ipynb', trans);
  await draft.load();
  return { draft, asked };
}

it('begins with the first profile and a name that is free', async () => {
  const { draft } = await made();

  expect([draft.profile?.name, draft.name, draft.sound]).toEqual(['small', 'flights-dask', true]);
});

it('keeps a typed name when another profile is chosen', async () => {
  const { draft } = await made();
  draft.choose(spark);
  expect(draft.name).toBe('flights-spark');
  draft.setName('mine');
  draft.choose(aProfile());

  expect(draft.name).toBe('mine');
});

it('knows what it costs as the sizes change', async () => {
  const { draft } = await made();
  draft.set('workers.maximum', '6');

  expect(draft.workers).toEqual({ minimum: 1, maximum: 6 });
});

it('asks for what was typed only', async () => {
  const { draft, asked } = await made();
  draft.set('memory', '2 GiB');
  await draft.create(false);

  expect(asked.mock.calls[0]).toEqual([
    { name: 'flights-dask', profile: 'small', options: { memory: '2 GiB' }, start: false },
    expect.any(String)
  ]);
});

it.each([
  [
    new ApiError(422, 'unprocessable', "memory: '9 TiB' is too much."),
    { memory: "memory: '9 TiB' is too much." }
  ],
  [
    new ApiError(409, 'conflict', "There is a cluster 'flights-dask'."),
    { name: "There is a cluster 'flights-dask'." }
  ]
])('shows a refusal at its field: %s', async (error, refused) => {
  const { draft } = await made(() => Promise.reject(error));

  expect(await draft.create(true)).toBeNull();
  expect([draft.refused, draft.problem]).toEqual([refused, null]);
});

it('takes a cluster back that may not start, and says why above the form', async () => {
  const quota = new ApiError(409, 'quota', 'That is more than the quota of 4 workers.');
  const remove = vi.fn(() => Promise.resolve({ name: 'flights-dask' }));
  const { draft } = await made(undefined, { start: () => Promise.reject(quota), remove });

  expect(await draft.create(true)).toBeNull();
  expect(remove).toHaveBeenCalledWith('flights-dask');
  expect([draft.problem, draft.nameProblem]).toEqual([quota, null]);
});

it('refuses a name before it is sent', async () => {
  const { draft } = await made();
  draft.setName('Not A Name');
  expect(draft.sound).toBe(false);
  draft.setName('');
  expect(draft.nameProblem).toBe('A cluster needs a name.');
});
