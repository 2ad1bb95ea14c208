import { CodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { describe, expect, it, vi } from 'vitest';

import type { Execution, KernelMessages } from '../api';
import { Overview } from '../panel/model';
import { anApi } from '../testing/fake';
import { aKernel, anExecution, FakeConnection } from '../testing/kernels';
import { LiveKernel } from './model';
import { Displays, Replay, Replays, type Said } from './replay';

let count = 0;
const said = (type: string, content: Record<string, unknown>): Said => ({
  header: { msg_id: `s${count++}`, msg_type: type },
  content
});
const print = (text: string) => said('stream', { name: 'stdout', text });
const text = (model: CodeCellModel) => model.outputs.toJSON().map(one => String(one.text ?? one.ename ?? ''));

function aCell(source = 'x = 1'): CodeCellModel {
  const model = new CodeCellModel();
  model.sharedModel.setSource(source);
  return model;
}

/** A notebook of one cell c1, on a kernel that has run `executions`. */
async function aNotebook(options: {
  source?: string;
  executions?: Execution[];
  messages?: Said[] | (() => Promise<never>);
  collaborative?: boolean;
  saved?: string;
}) {
  const model = aCell(options.source);
  Object.defineProperty(model, 'id', { value: 'c1' });
  const { messages = [] } = options;
  const page = { items: messages, next: 9, end: true, lost: 0 } as unknown as KernelMessages;
  const api = anApi({
    kernels: {
      get: async () => aKernel(),
      executions: async () => ({ items: options.executions ?? [], next: null }),
      messages: Array.isArray(messages) ? async () => page : messages
    }
  });
  const fake = new FakeConnection();
  const live = new LiveKernel(api, new Overview(api), fake.connection);
  const panel = {
    content: { widgets: [{ model }] },
    context: {
      ready: Promise.resolve(),
      isReady: true,
      model: { collaborative: options.collaborative ?? false },
      contentsModel: { last_modified: options.saved ?? '2026-11-25T09:00:00Z' }
    }
  } as unknown as NotebookPanel;
  const replays = new Replays(api, panel, live);
  await live.refresh();
  await new Promise(resolve => setTimeout(resolve, 20));
  return { model, fake, replays, live };
}

describe('one execution shown again', () => {
  it('shows each message once, clears when something comes, and counts at its end', () => {
    const model = aCell();
    const replay = new Replay(model, new Displays(), true);
    const first = print('a');
    [first, first, print('b'), said('clear_output', { wait: true }), print('c')].forEach(one =>
      replay.feed(one)
    );
    replay.feed(said('execute_input', { execution_count: 4 }));
    expect([text(model), model.executionState, model.executionCount]).toEqual([['c'], 'running', null]);

    replay.feed(said('status', { execution_state: 'idle' }));
    expect([model.executionState, model.executionCount, replay.ended]).toEqual(['idle', 4, true]);
  });

  it('changes what another cell shows under the same display id', () => {
    const displays = new Displays();
    const [one, other] = [aCell(), aCell()];
    const transient = { display_id: 'bar' };
    new Replay(one, displays, true).feed(
      said('display_data', { data: { 'text/plain': 'waiting' }, metadata: {}, transient })
    );
    new Replay(other, displays, true).feed(
      said('update_display_data', { data: { 'text/plain': 'done' }, metadata: {}, transient })
    );
    expect(one.outputs.get(0).data).toEqual({ 'text/plain': 'done' });
  });
});

describe('a notebook on a shared kernel', () => {
  it('fills in what ran after it was saved', async () => {
    const { model } = await aNotebook({
      executions: [anExecution({ count: 3 })],
      messages: [print('all of it')]
    });
    expect([text(model), model.executionState]).toEqual([['all of it'], 'idle']);
  });

  it('leaves what was saved since as it is', async () => {
    const { model } = await aNotebook({
      executions: [anExecution()],
      messages: [print('old')],
      saved: '2026-11-25T11:00:00Z'
    });
    expect(text(model)).toEqual([]);
  });

  it('shows live what somebody else runs, when the cell says the same', async () => {
    const { model, fake } = await aNotebook({ source: 'x = 1' });
    fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'e2' });
    fake.say('stream', { name: 'stdout', text: 'live' }, { id: 'e2' });
    expect([text(model), model.executionState, model.trusted]).toEqual([['live'], 'running', false]);
    fake.say('status', { execution_state: 'idle' }, { id: 'e2' });
    expect(model.executionState).toBe('idle');
  });

  it('fills in what somebody else’s cell said while this page was cut off', async () => {
    const messages: Said[] = [];
    const { model, fake } = await aNotebook({ source: 'x = 1', messages });
    fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'e2' });
    fake.say('stream', { name: 'stdout', text: 'before ' }, { id: 'e2' });
    const before = {
      header: { msg_id: 'm1', msg_type: 'stream' },
      content: { name: 'stdout', text: 'before ' }
    };
    messages.push(before, print('meanwhile '));

    fake.becomes('connecting');
    fake.becomes('connected');
    fake.say('stream', { name: 'stdout', text: 'after' }, { id: 'e2' });
    fake.say('status', { execution_state: 'idle' }, { id: 'e2' });

    await vi.waitFor(() => expect(model.executionState).toBe('idle'));
    expect(text(model).join('')).toBe('before meanwhile after');
  });

  it('takes the star from a cell that was rewritten while it waited', async () => {
    const waits = anExecution({ id: 'e2', person: '', status: 'queued', started_at: null, ended_at: null });
    const { model, fake } = await aNotebook({ executions: [waits] });
    expect(model.executionState).toBe('running');
    model.sharedModel.setSource('x = 2');
    fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'e2' });
    expect(model.executionState).toBe('idle');
  });

  it('ends a cell whose end it has missed, though the server cannot say what it said', async () => {
    const runs = anExecution({ id: 'e2', status: 'running', ended_at: null });
    const executions = [runs];
    const { model, fake, live } = await aNotebook({
      executions,
      messages: () => Promise.reject(new Error('The server failed at this.'))
    });
    fake.becomes('connecting');
    fake.becomes('connected');
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(model.executionState).toBe('running');

    executions[0] = { ...runs, status: 'ok', ended_at: '2026-11-25T10:00:02Z' };
    await live.ask();
    expect(model.executionState).toBe('idle');
  });

  it('shows nothing in a cell that says something else, nor in a shared document', async () => {
    for (const options of [{ source: 'y = 2' }, { collaborative: true }]) {
      const { model, fake } = await aNotebook(options);
      fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'e2' });
      fake.say('stream', { name: 'stdout', text: 'live' }, { id: 'e2' });
      expect(text(model)).toEqual([]);
    }
  });

  it('leaves to JupyterLab what this page has asked for', async () => {
    const { model, fake } = await aNotebook({});
    fake.ask('mine');
    fake.say('execute_input', { code: 'x = 1', execution_count: 2 }, { id: 'mine' });
    fake.say('stream', { name: 'stdout', text: 'live' }, { id: 'mine' });
    expect(text(model)).toEqual([]);
  });
});
