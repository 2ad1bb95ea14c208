import { describe, expect, it, vi } from 'vitest';

import { ApiError } from '../api';
import { Overview } from '../panel/model';
import { anApi } from '../testing/fake';
import { aKernel, anExecution, FakeConnection } from '../testing/kernels';
import { LiveKernel } from './model';

function aLive(kernels: object) {
  const api = anApi({ kernels });
  const fake = new FakeConnection();
  return { live: new LiveKernel(api, new Overview(api), fake.connection), fake };
}

describe('a shared kernel', () => {
  it('knows the last execution of each cell', async () => {
    const items = [anExecution({ id: 'new', cell: 'c1' }), anExecution({ id: 'old', cell: 'c1' })];
    const { live } = aLive({ get: async () => aKernel(), executions: async () => ({ items, next: null }) });
    await live.refresh();
    await new Promise(resolve => setTimeout(resolve));
    expect([live.last('c1')?.id, live.last('c2')]).toEqual(['new', undefined]);
  });

  it('hears of an execution before the server tells of it', () => {
    const { live, fake } = aLive({
      get: () => new Promise(() => undefined),
      executions: () => new Promise(() => undefined)
    });
    fake.say(
      'execute_input',
      { code: 'train()', execution_count: 3 },
      { id: 'e9', cell: 'c4', person: 'bo' }
    );
    expect(live.last('c4')).toMatchObject({
      id: 'e9',
      person: 'bo',
      status: 'running',
      count: 3,
      code: 'train()'
    });
  });

  it('asks anew, though an earlier question is still open', async () => {
    const answers = [new Promise<never>(() => undefined), Promise.resolve(aKernel({ state: 'busy' }))];
    const { live } = aLive({
      get: () => answers.shift(),
      executions: async () => ({ items: [], next: null })
    });
    await vi.waitFor(() => expect(answers).toHaveLength(1));
    await live.ask();

    expect(live.kernel?.state).toBe('busy');
  });

  it('says why something was refused', () => {
    const { live, fake } = aLive({
      get: () => new Promise(() => undefined),
      executions: () => new Promise(() => undefined)
    });
    const told: string[] = [];
    live.refused.connect((_, why) => told.push(why));
    fake.say('slipway_refused', { why: 'You are a viewer of this kernel.' }, { id: 'e9' });
    expect(told).toEqual(['You are a viewer of this kernel.']);
  });

  it('says since when the connection is lost, and connects as soon as the server answers again', async () => {
    vi.useFakeTimers({ now: new Date('2026-11-25T16:41:00Z') });
    let up = true;
    const get = async () => {
      if (!up) {
        throw new ApiError(0, 'offline', 'The server does not answer.');
      }
      return aKernel();
    };
    const { live, fake } = aLive({ get, executions: async () => ({ items: [], next: null }) });
    await vi.advanceTimersByTimeAsync(100);

    up = false;
    fake.becomes('connecting');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(live.silentSince).toBeNull(); // it may only be a hiccup
    await vi.advanceTimersByTimeAsync(20_000);
    expect(live.silentSince).toEqual(new Date('2026-11-25T16:41:00.100Z'));
    expect(fake.reconnects).toBe(0);
    up = true;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fake.reconnects).toBe(1);
    fake.becomes('connected');
    expect(live.silentSince).toBeNull();
    live.dispose();
    vi.useRealTimers();
  });

  it('says since when the host has not answered', async () => {
    const kernel = aKernel({ silent: 'host', silent_since: '2026-11-25T10:00:00Z' });
    const { live } = aLive({ get: async () => kernel, executions: async () => ({ items: [], next: null }) });
    await live.ask();
    expect(live.silentSince).toEqual(new Date('2026-11-25T10:00:00Z'));
  });

  it('is shared with nobody when it has no host', async () => {
    const missing = async () => {
      throw new ApiError(404, 'not-found', 'There is no such kernel.');
    };
    const { live } = aLive({ get: missing, executions: missing });
    await live.refresh();
    await new Promise(resolve => setTimeout(resolve));
    expect([live.known, live.kernel]).toEqual([true, null]);
  });
});
