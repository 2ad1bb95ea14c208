import { Dialog, Notification } from '@jupyterlab/apputils';
import { beforeEach, describe, expect, it, vi } from 'vitest';

import type { Context } from '../ui/context';
import { RoomNotices } from './rooms';

const SESSIONS = 'https://schema.jupyter.org/jupyter_collaboration/session/v1';

function heard(...events: Record<string, string>[]) {
  const undone: string[] = [];
  const compare = { undoMerge: async (path: string) => void undone.push(path) };
  const context = { api: { compare }, trans: { __: String } } as unknown as Context;
  const notices = new RoomNotices(context, path => path === 'a.py');
  for (const event of events) {
    notices.hear({ schema_id: SESSIONS, path: 'a.py', level: 'INFO', ...event } as never);
  }
  return undone;
}

const said = () => Notification.manager.notifications.map(one => one.message);

describe('what a room says', () => {
  beforeEach(() => Notification.dismiss());

  it('is shown as long as it is wrong, and once', () => {
    heard(
      { level: 'ERROR', msg: 'a.py may not be written.' },
      { level: 'ERROR', msg: 'a.py may not be written.' }
    );
    expect(said()).toEqual(['a.py may not be written.']);
  });

  it('is there in full where JupyterLab would cut it off', async () => {
    const long = `a.py is a link to ${'sub/'.repeat(40)}a.py. Save a copy under another name.`;
    heard({ level: 'ERROR', msg: long });
    const [{ options }] = Notification.manager.notifications;
    options.actions?.[0].callback(new MouseEvent('click'));
    await vi.waitFor(() => expect(document.querySelector('.jp-Dialog')?.textContent).toContain(long));
    Dialog.tracker.forEach(dialog => dialog.reject());
  });

  it('goes when the file is saved', () => {
    heard({ level: 'ERROR', msg: 'a.py may not be written.' }, { action: 'save', msg: 'Content saved.' });
    expect(said()).toEqual([]);
  });

  it('is nothing for a page that has the file not open', () => {
    heard({ path: 'b.py', level: 'ERROR', msg: 'b.py may not be written.' });
    expect(said()).toEqual([]);
  });

  it('offers to take back what contradicts the document', () => {
    const undone = heard({ action: 'load', msg: 'a.py changed on disk in the same place.' });
    const [notice] = Notification.manager.notifications;
    notice.options.actions?.[0].callback({} as never);
    expect(undone).toEqual(['a.py']);
  });

  it('says why it cannot be taken back', async () => {
    const api = { compare: { undoMerge: () => Promise.reject(new Error('a.py has no such merge.')) } };
    const notices = new RoomNotices({ api, trans: { __: String } } as unknown as Context, () => true);
    notices.hear({
      schema_id: SESSIONS,
      path: 'a.py',
      action: 'load',
      msg: 'a.py changed on disk.'
    } as never);
    Notification.manager.notifications[0].options.actions?.[0].callback({} as never);
    await vi.waitFor(() => expect(said()).toContain('a.py has no such merge.'));
    // JupyterLab shows none of which it is not said how long.
    expect(Notification.manager.notifications.map(one => one.options.autoClose)).toEqual([false, 20_000]);
  });

  it('offers it once, for the last one', () => {
    const event = { action: 'load', msg: 'a.py changed on disk in the same place.' };
    heard(event, event);
    expect(said()).toEqual(['a.py changed on disk in the same place.']);
  });

  it('offers nothing where jupyter-collaboration only says that it has read the file', () => {
    heard({ action: 'load', msg: 'Content loaded from disk.' });
    expect(said()).toEqual([]);
  });
});
