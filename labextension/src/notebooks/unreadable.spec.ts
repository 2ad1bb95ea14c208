import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import { type Contents, ServerConnection } from '@jupyterlab/services';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Context } from '../ui/context';
import { Explanations } from './unreadable';

const WHY = "a.py, line 3: its header cannot be read. Mend it between the '---' lines.";

/** JupyterLab says that a.py does not open, of which the server says `refused`, by type; null: it opens. */
function failed(refused: Record<string, string | null>, size = 100, name = 'a.py', merges = false) {
  const executed: unknown[] = [];
  const model = { dirty: true };
  const closed: boolean[] = [];
  const close = () => void closed.push(!model.dirty);
  const contents = {
    localPath: (path: string) => path,
    get: (_: string, { type, content }: Contents.IFetchOptions) => {
      const why = content ? refused[type ?? ''] : null;
      return why ? Promise.reject(new Error(why)) : Promise.resolve({ size });
    }
  } as unknown as Contents.IManager;
  const compare = { merge: () => (merges ? Promise.resolve({}) : Promise.reject(new Error('no merge'))) };
  const context = {
    api: { compare },
    commands: { execute: (...args: unknown[]) => Promise.resolve(executed.push(args)) },
    trans: { __: (text: string, name: string) => text.replace('%1', name) }
  } as unknown as Context;
  const said = new Explanations(context, contents);
  const over = said.await({ path: `sub/${name}`, isNotebook: true, model, close });
  void showDialog({ title: `File Load Error for ${name}`, body: `Bad request for sub/${name}` });
  const hear = () => Dialog.tracker.forEach(dialog => said.hear(dialog));
  hear();
  return { executed, model, closed, hear, over };
}

const shown = () => document.querySelector('.jp-Dialog')?.textContent ?? '';
const button = (label: string) =>
  [...document.querySelectorAll<HTMLElement>('.jp-Dialog button')].find(one => one.textContent === label);

describe('a file that does not open', () => {
  afterEach(async () => {
    Dialog.tracker.forEach(dialog => dialog.reject());
    await vi.waitFor(() => expect(shown()).toBe(''));
  });

  it('says why, and goes on in the text editor', async () => {
    const { executed, model } = failed({ notebook: WHY, file: null });
    await vi.waitFor(() => expect(shown()).toContain(WHY));
    expect(shown()).not.toContain('Bad request');
    expect(model.dirty).toBe(false);
    button('Open with Text Editor')?.click();
    await vi.waitFor(() =>
      expect(executed).toEqual([['docmanager:open', { path: 'sub/a.py', factory: 'Editor' }]])
    );
  });

  it('is settled cell by cell when git has left it in conflict', async () => {
    const { executed } = failed({ notebook: WHY, file: null }, 100, 'a.ipynb', true);
    await vi.waitFor(() => expect(shown()).toContain(WHY));
    expect(button('Open with Text Editor')).toBeDefined();
    button('Resolve Merge')?.click();
    await vi.waitFor(() => expect(executed).toEqual([['slipway:resolve-notebook', { path: 'sub/a.ipynb' }]]));
  });

  it('is not settled when nothing conflicts', async () => {
    failed({ notebook: WHY, file: null }, 100, 'a.ipynb');
    await vi.waitFor(() => expect(shown()).toContain(WHY));
    expect(button('Resolve Merge')).toBeUndefined();
  });

  it.each([
    ['the text editor cannot read either', 'not UTF-8', 100],
    ['is too large for a page', null, 2 ** 30]
  ])('offers no editor for what %s', async (_, file, size) => {
    failed({ notebook: WHY, file }, size);
    await vi.waitFor(() => expect(shown()).toContain(WHY));
    expect(button('Open with Text Editor')).toBeUndefined();
  });

  it('is closed without asking whether to save what was never read', async () => {
    const { closed, hear, model, over } = failed({ notebook: WHY });
    const ask = () =>
      void showDialog({ title: 'Save your work', body: 'Save changes in "a.py" before closing?' });
    model.dirty = true;
    ask();
    hear();
    expect(closed).toEqual([true]);
    await vi.waitFor(() => expect(shown()).toContain(WHY));
    button('Close')?.click();

    // One of the same name that was read is another matter.
    over();
    ask();
    hear();
    await vi.waitFor(() => expect(shown()).toContain('Save changes'));
    expect(closed).toEqual([true]);
  });

  it('only seems slow when the server has no room for it: that is said until it opens', async () => {
    const full = 'sub/a.py cannot be opened together with others: the disk is full.';
    const refuse = async () => new Response(JSON.stringify({ message: full }), { status: 503 });
    const serverSettings = ServerConnection.makeSettings({ fetch: refuse, baseUrl: 'http://localhost/' });
    const said = new Explanations(
      { trans: { __: String } } as unknown as Context,
      { serverSettings } as unknown as Contents.IManager
    );
    const over = said.await({
      path: 'sub/a.py',
      isNotebook: true,
      model: { dirty: false },
      close: () => undefined
    });
    const slow = 'The document is taking some time to load. What would you like to do?';
    void showDialog({ title: 'Loading', body: slow });
    Dialog.tracker.forEach(dialog => said.hear(dialog));

    const notices = () => Notification.manager.notifications.map(({ message }) => message);
    await vi.waitFor(() => expect(notices()).toEqual([full]));
    over();
    expect(notices()).toEqual([]);
    button('Cancel')?.click();
  });

  it('is said in the words of JupyterLab where the server has no others', async () => {
    failed({});
    await vi.waitFor(() => expect(shown()).toContain('Bad request for sub/a.py'));
  });
});
