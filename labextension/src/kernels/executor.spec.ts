import { ServerConnection } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Overview } from '../panel/model';
import { anApi } from '../testing/fake';
import { aKernel, FakeConnection } from '../testing/kernels';
import { ServerExecutor } from './executor';
import { LiveKernel } from './model';

const { runCell } = vi.hoisted(() => ({ runCell: vi.fn(async () => true) }));
vi.mock('@jupyterlab/notebook', () => ({ runCell }));

type Options = Parameters<ServerExecutor['runCell']>[0];

function aNotebook(room = 'json:notebook:1') {
  return { sharedModel: { getState: () => room || undefined } };
}

function aRun(options: { notebook?: object; cell?: string; shows?: number } = {}) {
  const executed = vi.fn();
  const { notebook = aNotebook(), cell = 'c1' } = options;
  const outputs = { length: options.shows ?? 0, changed: new Signal<object, void>({}) };
  const asked = {
    cell: {
      model: { id: cell, type: 'code', trusted: false, outputs, sharedModel: { getSource: () => 'x = 1' } }
    },
    notebook,
    sessionContext: { session: { kernel: { id: 'k1' } } },
    onCellExecuted: executed,
    onCellExecutionScheduled: vi.fn()
  };
  return { asked: asked as unknown as Options, executed, outputs };
}

function anExecutor(hosted = true, role = 'runner', found: Promise<void>[] = []) {
  const api = anApi({
    kernels: { get: async () => aKernel({ role }), executions: async () => ({ items: [], next: null }) }
  });
  const fake = new FakeConnection();
  const live = new LiveKernel(api, new Overview(api), fake.connection);
  const refused = vi.fn();
  const settings = ServerConnection.makeSettings({ baseUrl: 'http://test/' });
  return {
    executor: new ServerExecutor(
      settings,
      async () => {
        await found.shift();
        return hosted ? live : null;
      },
      refused
    ),
    fake,
    live,
    refused
  };
}

describe('cells of shared notebooks', () => {
  const bodies: { cell_id: string; wait: boolean; source: string }[] = [];
  let answers: (() => Response)[] = [];

  beforeEach(() => {
    bodies.length = 0;
    answers = [];
    runCell.mockClear();
    vi.spyOn(ServerConnection, 'makeRequest').mockImplementation(async (_, init) => {
      bodies.push(JSON.parse(String(init.body)));
      const answer = answers.shift();
      // The first takes longest: others must wait for it.
      await new Promise(resolve => setTimeout(resolve, bodies.length === 1 ? 30 : 0));
      return answer ? answer() : Response.json({ execution: `e-${bodies.length}` }, { status: 202 });
    });
  });
  afterEach(() => vi.restoreAllMocks());

  it.each([
    ['a kernel that is on its way', { hasNoKernel: false, isReady: false }],
    ['the kernel of a notebook that is being opened', { hasNoKernel: true, isReady: false }]
  ])('wait for %s', async (_, state) => {
    const { executor } = anExecutor();
    const { asked } = aRun();
    const context = asked.sessionContext as unknown as Record<string, unknown>;
    let come = () => {};
    const session = context.session;
    Object.assign(context, {
      session: null,
      ...state,
      ready: new Promise<void>(done => (come = done))
    });
    void executor.runCell(asked);
    await new Promise(resolve => setTimeout(resolve, 10));
    expect([bodies.length, runCell.mock.calls.length]).toEqual([0, 0]);
    context.session = session;
    come();

    await vi.waitFor(() => expect(bodies).toHaveLength(1));
  });

  it('go to JupyterLab, which asks for a kernel, where there is to be none', async () => {
    vi.useFakeTimers();
    const { executor } = anExecutor();
    const { asked } = aRun();
    const none = { session: null, hasNoKernel: true, isReady: false, ready: new Promise(() => {}) };
    Object.assign(asked.sessionContext as object, none);
    void executor.runCell(asked);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(runCell).toHaveBeenCalledTimes(1);

    void executor.runCell(asked);
    await vi.advanceTimersByTimeAsync(0);
    expect(runCell).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
  });

  it('are handed over in order, and told of when they have ended', async () => {
    const { executor, fake } = anExecutor();
    const notebook = aNotebook();
    const [first, second] = [aRun({ notebook, cell: 'c1' }), aRun({ notebook, cell: 'c2' })];
    const both = Promise.all([executor.runCell(first.asked), executor.runCell(second.asked)]);
    await vi.waitFor(() => expect(bodies.map(one => one.cell_id)).toEqual(['c1', 'c2']));
    expect(bodies[0]).toMatchObject({ wait: false, source: 'x = 1', document_id: 'json:notebook:1' });
    expect(first.executed).not.toHaveBeenCalled();

    fake.say('execute_input', { code: 'x = 1', execution_count: 1 }, { id: 'e-1' });
    fake.say('status', { execution_state: 'idle' }, { id: 'e-1' });
    fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'e-2' });
    fake.say('error', { ename: 'ZeroDivisionError' }, { id: 'e-2' });
    fake.say('status', { execution_state: 'idle' }, { id: 'e-2' });

    expect(await both).toEqual([true, false]);
    expect(first.executed).toHaveBeenCalledWith({ cell: first.asked.cell, success: true });
    expect(runCell).not.toHaveBeenCalled();
  });

  it('are handed over in order, too, when the kernel of the first is found last', async () => {
    const later = new Promise<void>(done => setTimeout(done, 30));
    const { executor } = anExecutor(true, 'runner', [later]);
    const notebook = aNotebook();
    for (const cell of ['c1', 'c2', 'c3']) {
      void executor.runCell(aRun({ notebook, cell }).asked);
    }

    await vi.waitFor(() => expect(bodies.map(one => one.cell_id)).toEqual(['c1', 'c2', 'c3']));
  });

  it('wait for those of no other notebook', async () => {
    const { executor } = anExecutor(true, 'runner', [new Promise<void>(() => {})]);
    void executor.runCell(aRun({ cell: 'c1' }).asked);
    void executor.runCell(aRun({ cell: 'd1' }).asked);

    await vi.waitFor(() => expect(bodies.map(one => one.cell_id)).toEqual(['d1']));
  });

  it('are trusted by who runs them, from when they show nothing: else a widget would be text', async () => {
    const { executor, live } = anExecutor();
    await live.ask();
    const { asked, outputs } = aRun({ shows: 1 });
    void executor.runCell(asked);
    await vi.waitFor(() => expect(bodies).toHaveLength(1));
    expect(asked.cell.model.trusted).toBe(false);
    outputs.length = 0;
    outputs.changed.emit();
    expect(asked.cell.model.trusted).toBe(true);
  });

  it('are trusted no more by who may not run them', async () => {
    const { executor, live } = anExecutor(true, 'viewer');
    await live.ask();
    answers = [() => Response.json({ message: 'You are a viewer.' }, { status: 403 })];
    const { asked } = aRun();
    await executor.runCell(asked);
    expect(asked.cell.model.trusted).toBe(false);
  });

  it('say why they were refused', async () => {
    const { executor, refused } = anExecutor();
    answers = [() => Response.json({ message: 'You are a viewer.', hint: 'Ask ada.' }, { status: 403 })];
    const { asked, executed } = aRun();
    expect(await executor.runCell(asked)).toBe(false);
    expect(refused).toHaveBeenCalledWith('You are a viewer. Ask ada.');
    expect(executed).toHaveBeenCalledWith({ cell: asked.cell, success: false });
  });

  it('run as ever when the kernel has no host or the notebook is not shared', async () => {
    await anExecutor(false).executor.runCell(aRun().asked);
    await anExecutor().executor.runCell(aRun({ notebook: aNotebook('') }).asked);
    expect([runCell.mock.calls.length, bodies]).toEqual([2, []]);
  });
});
