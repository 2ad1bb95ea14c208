/** JupyterLab's dialogs that would say again, and with less, what stands above a notebook: they do not come up. */
import { Dialog } from '@jupyterlab/apputils';

/** What a dialog is about, and its words. */
export interface Said {
  /** `restarts`: the kernel died and starts anew. `lost`: the server does not answer. */
  what: 'restarts' | 'lost';
  words: string;
}

/** Closes a dialog before it is seen, if `told` says that the person is told already. */
export function sayOnce(told: (said: Said) => boolean): void {
  Dialog.tracker.widgetAdded.connect((_, dialog) => {
    // It is only being made now, and shown a little later.
    queueMicrotask(() => {
      const said = whatSays(dialog);
      if (said && told(said)) {
        dialog.reject();
      }
    });
  });
}

/** null: something that nobody else says. */
function whatSays(dialog: Dialog<unknown>): Said | null {
  const words = dialog.node.ariaLabel ?? '';
  const trans = Dialog.translator.load('jupyterlab');
  if (words.startsWith(trans.__('Kernel Restarting'))) {
    return { what: 'restarts', words };
  }
  return words.startsWith(trans.__('Server Connection Error')) ? { what: 'lost', words } : null;
}
