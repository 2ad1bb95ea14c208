import { expect, it, vi } from 'vitest';

import { ApiError, type LogPage, type Run } from '../api';
import { Overview } from '../panel/model';
import { anApi, aRun, aVersion, fetched } from '../testing/fake';
import { RunModel } from './model';

const page = (text: string, offset: number, change: Partial<LogPage> = {}): LogPage => ({
  text,
  offset,
  end: false,
  progress: null,
  progress_text: '',
  ...change
});

function made(run: Run, pages: LogPage[]) {
  const runs = {
    get: vi.fn(() => Promise.resolve(run)),
    log: vi.fn((..._: [string, number]) => Promise.resolve(pages.shift() ?? page('', 0, { end: true }))),
    outputs: vi.fn(() => Promise.resolve({ items: [{ output_type: 'stream' }] })),
    artifacts: vi.fn(() => Promise.resolve({ items: [] }))
  };
  const api = anApi({ runs, jobs: { version: () => Promise.resolve(aVersion()) } });
  return { runs, model: new RunModel(api, new Overview(api), run.id) };
}

it('reads the log by offset, piece by piece', async () => {
  const { model, runs } = made(aRun(), [page('one\n', 4), page('two\n', 8), page('', 8, { end: true })]);
  await fetched(model);

  expect(model.log.text).toBe('one\ntwo\n');
  expect(runs.log.mock.calls.map(([, offset]) => offset)).toEqual([0, 4, 8]);
  model.dispose();
});

it('goes on from where it stopped', async () => {
  const { model, runs } = made(aRun({ state: 'running' }), [
    page('one\n', 4),
    page('', 4),
    page('two\n', 8),
    page('', 8)
  ]);
  await fetched(model);
  await fetched(model);

  expect(model.log.text).toBe('one\ntwo\n');
  expect(runs.log.mock.calls.map(([, offset]) => offset)).toEqual([0, 4, 4, 8]);
  model.dispose();
});

it('skips the middle of a very long log', async () => {
  const long = Array.from({ length: 32 }, (_, piece) => page('x\n', piece + 1));
  const { model, runs } = made(aRun(), [...long, page('the end\n', 999)]);
  await fetched(model);

  await vi.waitFor(() => expect(model.logSkipped).toBe(true));
  expect(runs.log.mock.calls[32][1]).toBe(-65_536);
  expect(model.log.text).toMatch(/\[…\]\nthe end\n$/);
  model.dispose();
});

it('shows progress that the log tells', async () => {
  const { model } = made(aRun({ state: 'running' }), [
    page('50%|\r', 5, { progress: 0.5, progress_text: '50%|' })
  ]);
  await fetched(model);

  expect(model.run?.progress).toBe(0.5);
  model.dispose();
});

it('says why a file cannot be had', async () => {
  const { model, runs } = made(aRun(), []);
  await fetched(model);
  Object.assign(runs, { artifact: () => Promise.reject(new ApiError(404, 'not_found', 'It is gone.')) });

  expect(await model.file('table.csv')).toBeNull();
  expect(model.error?.message).toBe('It is gone.');
  model.dispose();
});
