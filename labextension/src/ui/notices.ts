/** Notices that stay until they are closed: JupyterLab cuts a long one off, and what to do stands at its end. */
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Characters that JupyterLab shows of a notice. */
const SHOWN = 140;

/** Returns the notice's id. */
export function notice(kind: 'error' | 'warning', said: string, trans: TranslationBundle): string {
  return Notification[kind](said, {
    autoClose: false,
    actions: said.length > SHOWN ? [all(said, trans)] : []
  });
}

function all(said: string, trans: TranslationBundle): Notification.IAction {
  return {
    label: trans.__('Read all'),
    caption: trans.__('What happened, and what to do'),
    callback: event => {
      event.preventDefault(); // it stays
      const buttons = [Dialog.cancelButton({ label: trans.__('Close') })];
      void showDialog({ title: trans.__('What happened'), body: said, buttons });
    }
  };
}
