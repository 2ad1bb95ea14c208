import { Notification } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { Signal } from '@lumino/signaling';
import { afterEach, describe, expect, it, vi } from 'vitest';

import type { Context } from '../ui/context';
import { isSaved, saveUnasked, tellOfOutputs } from './saving';

function failing(why: string | undefined) {
  const file = {
    _updateContentsModel: () => undefined,
    _raiseConflict: () => Promise.reject(new Error('asked')),
    _maybeSave: () => Promise.reject(new Error('Saving failed'))
  };
  saveUnasked(file as unknown as DocumentRegistry.Context, () => why);
  return file._maybeSave();
}

describe('a shared document that is not saved', () => {
  it('says why to whoever saves it', async () => {
    await expect(failing('a.py is not saved: the disk is full.')).rejects.toThrow(
      'a.py is not saved: the disk is full.'
    );
  });

  it('says what JupyterLab says where the server has said nothing', async () => {
    await expect(failing(undefined)).rejects.toThrow('Saving failed');
  });
});

/** A document that is saved as JupyterLab does it, and what it was last told of its outputs. */
class Document {
  isDisposed = false;
  readonly model = { dirty: true };
  readonly saveState = new Signal<object, DocumentRegistry.SaveState>(this);
  readonly disposed = new Signal<object, void>(this);
  readonly sent: object[] = [];
  notKept: string | undefined;

  constructor() {
    tellOfOutputs(
      this as unknown as DocumentRegistry.Context,
      { trans: { __: String } } as unknown as Context
    );
  }

  async _maybeSave(options: object): Promise<object> {
    this.sent.push(options);
    return { not_kept: this.notKept };
  }

  readonly save = async (): Promise<void> => {
    await this._maybeSave({ type: 'notebook' });
    this.model.dirty = false;
    this.saveState.emit('completed');
  };
}

const shown = () =>
  Notification.manager.notifications.map(one => [one.type, one.message, one.options.autoClose]);

describe('a notebook whose code is saved and whose outputs cannot be', () => {
  afterEach(() => Notification.manager.dismiss());
  const said = 'The code of a.py is saved; its outputs are not: .slipway may not be written.';

  it('says so once, and stays to be saved, until they are', async () => {
    const file = new Document();
    const error = vi.spyOn(Notification, 'error');
    file.notKept = said;

    await file.save();
    await file.save();

    expect(file.sent).toEqual(Array(2).fill({ type: 'notebook', without_outputs: true }));
    expect([shown(), file.model.dirty]).toEqual([[['error', said, false]], true]);
    expect(error).toHaveBeenCalledTimes(1);

    file.notKept = undefined;
    await file.save();
    expect([shown(), file.model.dirty]).toEqual([[], false]);
  });

  it('is not saved for what needs all of it, and says why again', async () => {
    const file = new Document();
    file.notKept = said;
    await file.save();
    Notification.manager.dismiss();

    expect(await isSaved({ context: file as never })).toBe(false);

    expect(shown()).toEqual([['error', said, false]]);
  });

  it('says nothing any more once it is closed', async () => {
    const file = new Document();
    file.notKept = said;
    await file.save();

    file.disposed.emit();

    expect(shown()).toEqual([]);
  });
});
