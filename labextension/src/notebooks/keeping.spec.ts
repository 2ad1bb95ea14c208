import { Signal } from '@lumino/signaling';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { Context } from '../ui/context';
import { Keeping } from './keeping';

const SESSIONS = 'https://schema.jupyter.org/jupyter_collaboration/session/v1';

/** A notebook that is open and shared with colleagues, whose saves only the server knows of. */
function shared(path: string, first = 'cut') {
  const kept: string[] = [];
  const toolbar: string[] = [];
  const compare = {
    radar: () => Promise.resolve({ sharing: 'notebook', remote: '', remotes: [], seen: [], problem: '' }),
    snapshot: (saved: string) => (kept.push(saved), Promise.resolve({ snapshot: null }))
  };
  const owner = {};
  const signal = () => new Signal<object, never>(owner);
  const panel = {
    context: { path, saveState: signal(), ready: Promise.resolve() },
    content: { widgets: [] },
    toolbar: {
      insertBefore: (at: string, name: string) => at === first && toolbar.push(name, at),
      insertItem: (_: number, name: string) => toolbar.push(name)
    },
    disposed: signal(),
    isVisible: false
  };
  const notebooks = {
    widgetAdded: signal(),
    currentWidget: panel,
    forEach: (act: (one: unknown) => void) => act(panel),
    filter: (wanted: (one: unknown) => boolean) => [panel].filter(wanted)
  };
  const context = {
    api: { compare },
    commands: { notifyCommandChanged: () => undefined },
    overview: { hinted: signal() },
    trans: { __: String, _n: String }
  } as unknown as Context;
  const events = new Signal<object, object>(owner);
  const contents = { localPath: String };
  new Keeping(context, notebooks as never, contents as never, events as never).start();
  return {
    kept,
    toolbar,
    saved: (path: string) => events.emit({ schema_id: SESSIONS, action: 'save', path })
  };
}

describe('what is shared with colleagues', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is kept within half a minute when the server saves it by itself', async () => {
    const { kept, saved } = shared('a.py');
    await vi.advanceTimersByTimeAsync(0);
    saved('a.py');
    saved('a.py');
    saved('not open.py');
    await vi.advanceTimersByTimeAsync(30_000);
    expect(kept).toEqual(['a.py']);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(kept).toEqual(['a.py']);
  });

  it('is said where the toolbar is not cut off, and in one without its buttons, too', async () => {
    const { toolbar } = shared('a.py');
    const { toolbar: own } = shared('a.py', 'none');
    await vi.advanceTimersByTimeAsync(0);
    expect([toolbar, own]).toEqual([['slipway-sharing', 'cut'], ['slipway-sharing']]);
  });
});
