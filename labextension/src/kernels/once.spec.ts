import { Dialog, showDialog } from '@jupyterlab/apputils';
import { describe, expect, it } from 'vitest';

import { sayOnce } from './once';

const shown = () => document.querySelectorAll('.jp-Dialog').length;
const later = () => new Promise(resolve => setTimeout(resolve, 10));
let said = true;

describe('dialogs of JupyterLab', () => {
  sayOnce(() => said);

  it.each(['Kernel Restarting', 'Server Connection Error'])(
    '%s does not come up when the notebook says so itself',
    async title => {
      said = true;
      const { button } = await showDialog({ title, body: 'a.ipynb' });
      expect([button.accept, shown()]).toEqual([false, 0]);
    }
  );

  it.each([
    ['Kernel Restarting', 'come up when nobody else says what they say', false],
    ['File Changed', 'come up when they are about something else', true]
  ])('%s: %s', async (title, _, told) => {
    said = told;
    const asked = showDialog({ title, body: 'a.ipynb' });
    await later();
    expect(shown()).toBe(1);
    Dialog.tracker.forEach(dialog => dialog.reject());
    await asked;
  });
});
