import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { describe, expect, it } from 'vitest';

import { aKernel, aWaiting } from '../testing/kernels';
import { Inputs } from './input';

/** A page whose one cell asks, and what opened there. */
function page() {
  const opened: Widget[] = [];
  const outputArea = {
    widgets: opened,
    layout: { addWidget: (box: Widget) => opened.push(box) },
    contentFactory: {
      createStdin: () => Object.assign(new Widget(), { value: new Promise(() => undefined) }),
      createOutputPrompt: () => new Widget()
    }
  };
  const cell = { model: { id: 'c1', type: 'code', outputs: [] }, outputArea, ready: Promise.resolve() };
  const panel = { content: { widgets: [cell], scrollToCell: () => Promise.resolve() } };
  const connection = {} as Record<string, unknown>;
  const anyMessage = new Signal<object, object>(connection);
  Object.assign(connection, { anyMessage });
  const live = { connection, me: 'ada', kernel: aKernel() } as Record<string, unknown>;
  const changed = new Signal<object, void>(live);
  Object.assign(live, { changed });
  const inputs = new Inputs(panel as never, live as never, async () => undefined);
  const hear = async (type: string, content: object, channel = 'iopub') => {
    const parent_header = { msg_id: 'e1', cell_id: 'c1', session: 'page' };
    anyMessage.emit({
      direction: 'recv',
      msg: { header: { msg_type: type }, parent_header, channel, content }
    });
    await new Promise(resolve => setTimeout(resolve));
  };
  const run = () => {
    const header = { msg_id: 'e1', msg_type: 'execute_request' };
    anyMessage.emit({ direction: 'send', msg: { header, parent_header: {}, content: {} } });
  };
  const learn = async (asks: { prompt: string; password: boolean } | null) => {
    live.kernel = aKernel({ queue: [aWaiting({ asks })] });
    changed.emit();
    await new Promise(resolve => setTimeout(resolve));
  };
  return { inputs, opened, hear, learn, run, open: () => opened.filter(one => !one.isDisposed) };
}

const QUESTION = { prompt: 'Name? ', password: false };

describe('the box for a question that this page did not cause', () => {
  it('stays while anything else is said of its cell, and when it is told again', async () => {
    const { hear, learn, opened, open } = page();
    await learn(QUESTION);
    await hear('status', { execution_state: 'busy' });
    await hear('execute_input', { code: '', execution_count: 1 });
    await hear('stream', { name: 'stdout', text: 'before' });
    await hear('input_request', QUESTION, 'stdin');
    await learn(QUESTION);

    expect([opened.length, open().length]).toEqual([1, 1]);
  });

  it('goes when it was answered elsewhere, and comes back for the next question', async () => {
    const { hear, learn, opened, open } = page();
    await hear('input_request', QUESTION, 'stdin');
    // What the server said before it knew of the question.
    await learn(null);
    expect(open()).toHaveLength(1);
    await learn(QUESTION);
    await learn(null);
    expect(open()).toHaveLength(0);
    await hear('input_request', { ...QUESTION, prompt: 'Age? ' }, 'stdin');

    expect([opened.length, open().length]).toEqual([2, 1]);
  });

  it('goes with the end of the cell', async () => {
    const { hear, open } = page();
    await hear('input_request', QUESTION, 'stdin');
    await hear('status', { execution_state: 'idle' });

    expect(open()).toHaveLength(0);
  });
});

describe("JupyterLab's own box, for a cell that this page has run", () => {
  it('goes with the end of the cell, also when nobody has answered', async () => {
    const { run, hear, opened } = page();
    const [box, output] = [new Widget(), new Widget()];
    box.addClass('jp-OutputArea-stdin-item');
    opened.push(box, output);
    run();
    await hear('status', { execution_state: 'busy' });
    expect(box.isDisposed).toBe(false);
    await hear('status', { execution_state: 'idle' });

    expect([box.isDisposed, output.isDisposed]).toEqual([true, false]);
  });
});
