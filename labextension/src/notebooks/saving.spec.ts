import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { describe, expect, it } from 'vitest';

import { saveUnasked } from './saving';

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
