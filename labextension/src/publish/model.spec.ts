import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { ApiError, type ProofProgress, type Published, type PublishRequest } from '../api';
import { aJob, anApi, aPlan, aVersion, trans } from '../testing/fake';
import { PublishModel } from './model';

const CELL = { notebook: 'flights.ipynb', cells: [], cell: 'score', kernel: null };
const proof = (change: Partial<ProofProgress> = {}): ProofProgress => ({
  id: 'proof-1',
  step: 'running',
  fraction: 0.5,
  done: false,
  plan: null,
  ...change
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const REGISTER = (..._: [PublishRequest, string]): Promise<Published> =>
  Promise.resolve({ job: aJob(), version: aVersion(), created: true, message: 'Registered.', run: null });

function made(register = REGISTER) {
  const publish = {
    plan: vi.fn(() => Promise.resolve(aPlan())),
    prove: vi.fn(() => Promise.resolve(proof())),
    proof: vi.fn(() => Promise.resolve(proof({ done: true, plan: aPlan({ module: 'wider' }) }))),
    cancelProof: vi.fn(() => Promise.resolve(proof({ done: true }))),
    publish: vi.fn(register)
  };
  return { publish, model: new PublishModel(anApi({ publish }), CELL, trans) };
}

it('takes the suggested name, and proves the plan', async () => {
  const { model, publish } = made();
  const started = model.start();
  await vi.advanceTimersByTimeAsync(500);
  await started;

  expect(model.name).toBe('flights');
  expect(model.plan?.module).toBe('wider');
  expect(model.proofCurrent).toBe(true);
  expect(publish.prove).toHaveBeenCalledTimes(1);
});

it('keeps a name that was typed before the plan came', async () => {
  const { model } = made();
  model.setName('mine');
  void model.start();
  await vi.advanceTimersByTimeAsync(10);

  expect(model.name).toBe('mine');
  model.dispose();
});

it('registers with the proof only while the proof is of what stands there', async () => {
  const { model, publish } = made();
  void model.start();
  await vi.advanceTimersByTimeAsync(500);
  await model.publish(false);
  model.setParameter('month', { text: '7' });
  await model.publish(true);

  const [first, second] = publish.publish.mock.calls.map(([request]) => request);
  expect(first).toMatchObject({ proof_id: 'proof-1', edits: [], run: false });
  expect(second).toMatchObject({ proof_id: undefined, edits: [{ name: 'month', default: 7 }], run: true });
});

it('plans and proves again after an edit, once typing has stopped', async () => {
  const { model, publish } = made();
  void model.start();
  await vi.advanceTimersByTimeAsync(500);
  for (const text of ['7', '70', '7']) {
    model.setParameter('month', { text });
    await vi.advanceTimersByTimeAsync(50);
  }
  await vi.advanceTimersByTimeAsync(2000);

  expect(publish.plan).toHaveBeenCalledTimes(2);
  expect(publish.prove).toHaveBeenCalledTimes(2);
});

it('says why it was refused, and asks with another key the next time', async () => {
  const { model, publish } = made(() =>
    Promise.reject(new ApiError(409, 'conflict', 'Taken.', 'Choose another.'))
  );

  expect(await model.publish(false)).toBeNull();
  expect(model.refusal?.text).toBe('Taken. Choose another.');
  await model.publish(false);
  expect(publish.publish.mock.calls[0][1]).not.toBe(publish.publish.mock.calls[1][1]);
});

it('cannot be sent while a default is no value', async () => {
  const { model } = made();
  void model.start();
  await vi.advanceTimersByTimeAsync(500);

  expect(model.sound).toBe(true);
  model.setParameter('month', { text: 'six' });
  expect(model.sound).toBe(false);
  model.setParameter('month', { on: false });
  expect(model.sound).toBe(true);
});

it('makes a variable a parameter when the server agrees, and says why when it does not', async () => {
  const { model, publish } = made();
  void model.start();
  await vi.advanceTimersByTimeAsync(500);
  expect(await model.addParameter('rate', 'float', '0.5')).toBeNull();
  publish.plan.mockRejectedValueOnce(new ApiError(422, 'unprocessable', 'Nothing assigns it.'));
  expect((await model.addParameter('rats', 'int', '1'))?.message).toBe('Nothing assigns it.');

  expect(model.edits).toEqual([{ name: 'rate', type: 'float', default: 0.5, on: true }]);
  model.setParameter('rate', { on: false });
  expect(model.edits).toEqual([]);
  model.dispose();
});

it('says nothing more of what was refused once it is being mended', async () => {
  const { model } = made(() => Promise.reject(new ApiError(400, 'bad_request', 'No name.')));
  void model.start();
  await vi.advanceTimersByTimeAsync(500);
  await model.publish(false);
  expect(model.refusal?.text).toBe('No name.');
  model.setName('mended');

  expect(model.refusal).toBeNull();
  model.dispose();
});

it('asks the server nothing while a field says itself what is wrong with it', async () => {
  const { model, publish } = made();
  void model.start();
  await vi.advanceTimersByTimeAsync(500);
  model.setParameter('month', { name: 'not a name' });
  await vi.advanceTimersByTimeAsync(2000);

  expect(publish.plan).toHaveBeenCalledTimes(1);
  expect(publish.prove).toHaveBeenCalledTimes(1);
  expect(model.problem).toBeNull();
  model.dispose();
});
