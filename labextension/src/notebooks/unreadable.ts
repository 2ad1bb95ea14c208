/** Says of a file that does not open why, and what to do, where a shared document says only that it is a 'bad request'. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import type { Context } from '../ui/context';

/** Bytes of a file that the text editor is offered for: of more, the page would hang. */
const EDITABLE = 10 * 2 ** 20;
const TEXT: Contents.IFetchOptions = { type: 'file', format: 'text' };

/** A document that is to be opened. */
export interface Opening {
  readonly path: string;
  readonly isNotebook: boolean;
  /** Only to be made clean: nothing of it is worth a save. */
  readonly model: { dirty: boolean };
  readonly close: () => void;
}

/** By page. */
const explaining = new WeakMap<Context, Explanations>();

/** From here on, until it is read; also if it did not open just before. */
export function explainUnreadable(
  app: JupyterFrontEnd,
  context: Context,
  document: DocumentRegistry.Context,
  isNotebook: boolean
): void {
  let said = explaining.get(context);
  if (!said) {
    said = new Explanations(context, app.serviceManager.contents);
    explaining.set(context, said);
    // It is only being made now, and shown a little later.
    Dialog.tracker.widgetAdded.connect((_, dialog) => queueMicrotask(() => said?.hear(dialog)));
  }
  if (!document.isReady) {
    const { path, model } = document;
    const close = () => {
      for (const widget of app.shell.widgets('main')) {
        if ('context' in widget && widget.context === document) {
          widget.close();
        }
      }
    };
    const over = said.await({ path, isNotebook, model, close });
    void document.ready.then(over);
    document.disposed.connect(over);
    Dialog.tracker.forEach(dialog => said?.hear(dialog));
  }
}

export class Explanations {
  constructor(
    private readonly context: Context,
    private readonly contents: Contents.IManager
  ) {}

  /** Returns what to call once it is read, or closed. */
  await(opening: Opening): () => void {
    this.openings.add(opening);
    return () => void this.openings.delete(opening);
  }

  /** Says more in place of the dialog, if it is about a document that did not open. */
  hear(dialog: Dialog<unknown>): void {
    const trans = Dialog.translator.load('jupyterlab');
    const words = dialog.node.ariaLabel ?? '';
    for (const opening of this.openings) {
      const name = PathExt.basename(opening.path);
      const title = trans.__('File Load Error for %1', name);
      // It closes by itself, and asks first whether to save what was never read.
      const closing = `${trans.__('Save your work')} ${trans.__('Save changes in "%1" before closing?', name)}`;
      if (words.startsWith(`${title} `) && !this.failed.has(opening)) {
        this.failed.add(opening);
        dialog.reject();
        opening.model.dirty = false;
        void this.explain(opening, title, words.slice(title.length + 1));
        return;
      }
      if (words.startsWith(closing) && this.failed.has(opening)) {
        this.openings.delete(opening);
        dialog.reject();
        opening.model.dirty = false;
        opening.close();
        return;
      }
    }
  }

  private async explain(opening: Opening, title: string, words: string): Promise<void> {
    const { commands, trans } = this.context;
    const { path, isNotebook } = opening;
    const why = await this.refusal(path, isNotebook ? { type: 'notebook' } : TEXT);
    if (why === null) {
      // It opens by now.
      await showErrorMessage(`${title}.`, words);
      return;
    }
    const close = Dialog.cancelButton({ label: trans.__('Close') });
    const edit = Dialog.okButton({ label: trans.__('Open with Text Editor') });
    const { button } = await showDialog({
      title: isNotebook
        ? trans.__('%1 does not open as a notebook', PathExt.basename(path))
        : trans.__('%1 does not open', PathExt.basename(path)),
      body: why,
      buttons: isNotebook && (await this.isEditable(path)) ? [close, edit] : [close]
    });
    if (button.accept) {
      await commands.execute('docmanager:open', { path, factory: 'Editor' });
    }
  }

  private async isEditable(path: string): Promise<boolean> {
    const { size } = await this.contents.get(path, { content: false }).catch((): { size?: number } => ({}));
    return size !== undefined && size <= EDITABLE && (await this.refusal(path, TEXT)) === null;
  }

  /** What the server says when it is asked again, without a shared document. */
  private refusal(path: string, options: Contents.IFetchOptions): Promise<string | null> {
    return this.contents.get(path, { ...options, content: true }).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error))
    );
  }

  private readonly openings = new Set<Opening>();
  private readonly failed = new WeakSet<Opening>();
}
