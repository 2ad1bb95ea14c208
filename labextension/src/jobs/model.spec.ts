import { expect, it, vi } from 'vitest';

import { Overview } from '../panel/model';
import { aJob, anApi, aVersion, fetched } from '../testing/fake';
import { JobModel } from './model';

it('asks for the versions again only when there is another one', async () => {
  let latest = 2;
  const jobs = {
    get: vi.fn(() => Promise.resolve(aJob({ latest }))),
    versions: vi.fn(() =>
      Promise.resolve({ items: Array.from({ length: latest }, (_, n) => aVersion({ number: latest - n })) })
    )
  };
  const api = anApi({ jobs, runs: { list: () => Promise.resolve({ items: [], next: null }) } });
  const model = new JobModel(api, new Overview(api), 'delay-model');
  await fetched(model);
  await fetched(model);
  expect(jobs.get).toHaveBeenCalledTimes(2);
  expect(jobs.versions).toHaveBeenCalledTimes(1);

  latest = 3;
  await fetched(model);
  expect(model.versions.map(version => version.number)).toEqual([3, 2, 1]);
  model.dispose();
});
