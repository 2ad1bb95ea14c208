import { expect, it, vi } from 'vitest';

import { ApiError } from '../api';
import { aJob, anApi, aRun, fetched } from '../testing/fake';
import { Overview } from './model';

const STATUS = { root: '/home/ada', user: 'ana' };

function made(runs = [aRun()]) {
  const api = {
    status: vi.fn(() => Promise.resolve(STATUS)),
    jobs: { list: vi.fn(() => Promise.resolve({ items: [aJob()] })) },
    runs: { list: vi.fn(() => Promise.resolve({ items: runs, next: null })) }
  };
  return { api, overview: new Overview(anApi(api as never)) };
}

it('knows jobs, runs and server after the first answer', async () => {
  const { overview } = made();
  await fetched(overview);

  expect([overview.jobs, overview.runs, overview.error]).toEqual([[aJob()], [aRun()], null]);
  overview.dispose();
});

it('keeps what was last known when the server goes away', async () => {
  const { overview, api } = made();
  await fetched(overview);
  api.runs.list.mockRejectedValueOnce(new ApiError(0, 'offline', 'gone'));
  await fetched(overview);

  expect(overview.error?.status).toBe(0);
  expect(overview.jobs).toEqual([aJob()]);
  overview.dispose();
});

it('finds the path by which JupyterLab opens a notebook', async () => {
  const { overview } = made();
  await fetched(overview);

  expect(overview.pathOf('/home/ada/a/flights.ipynb')).toBe('a/flights.ipynb');
  expect(overview.pathOf('/elsewhere/flights.ipynb')).toBeNull();
  expect(overview.pathOf('a/flights.ipynb')).toBe('a/flights.ipynb');
  overview.dispose();
});

it('counts the runs that live', async () => {
  const { overview } = made([aRun({ state: 'running' }), aRun({ id: 'run-2' })]);
  await fetched(overview);

  expect(overview.live.map(run => run.id)).toEqual(['run-1']);
  overview.dispose();
});

it('asks again when told of a change while an answer is on its way', async () => {
  const { overview, api } = made();
  await fetched(overview);
  let answer: (list: { items: never[]; next: null }) => void = () => undefined;
  api.runs.list.mockReturnValueOnce(new Promise(resolve => (answer = resolve)));
  const asked = api.runs.list.mock.calls.length;
  void overview.refresh();
  await vi.waitFor(() => expect(api.runs.list).toHaveBeenCalledTimes(asked + 1));
  overview.announce({ kind: 'run', id: 'run-1' });
  answer({ items: [], next: null });

  await vi.waitFor(() => expect(overview.runs).toEqual([aRun()]));
  overview.dispose();
});
