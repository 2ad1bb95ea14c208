import { expect, it, vi } from 'vitest';

import { ApiError } from '../api';
import { clusterAnswers, someFigures } from '../testing/clusters';
import { anApi } from '../testing/fake';
import { LiveFigures } from './figures';

it('asks only while somebody looks, and only of what runs', async () => {
  const answers = clusterAnswers([]);
  const figures = new LiveFigures(anApi({ clusters: answers }));
  const watching = figures.watch('etl-dask');
  expect(answers.figures).not.toHaveBeenCalled();
  figures.seen = true;
  await vi.waitFor(() => expect(figures.of('etl-dask')).toEqual([someFigures()]));

  watching.dispose();
  expect(figures.of('etl-dask')).toEqual([]);
  figures.dispose();
});

it('goes on with the others when one has just stopped', async () => {
  const gone = new ApiError(409, 'conflict', 'etl-dask is stopped.');
  const one = vi.fn((name: string) =>
    name === 'old' ? Promise.reject(gone) : Promise.resolve(someFigures())
  );
  const figures = new LiveFigures(anApi({ clusters: clusterAnswers([], { figures: one }) }));
  figures.watch('old');
  figures.watch('etl-dask');
  figures.seen = true;

  await vi.waitFor(() => expect(figures.of('etl-dask')).toHaveLength(1));
  expect(figures.of('old')).toEqual([]);
  figures.dispose();
});
