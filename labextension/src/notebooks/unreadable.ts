/** Says of a file that does not open why, and what to do, where a shared document says only that it is a 'bad request'. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, Notification, showDialog, showErrorMessage } from '@jupyterlab/apputils';
import { PathExt, URLExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { type Contents, ServerConnection } from '@jupyterlab/services';

import { comparing } from '../api/compare';
import { CommandIDs } from '../tokens';
import type { Context } from '../ui/context';
import { notice } from '../ui/notices';

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
    return () => {
      this.openings.delete(opening);
      this.endWaiting(opening);
    };
  }

  /** Says more in place of the dialog, if it is about a document that did not open. */
  hear(dialog: Dialog<unknown>): void {
    const trans = Dialog.translator.load('jupyterlab');
    const words = dialog.node.ariaLabel ?? '';
    const slow = 'The document is taking some time to load. What would you like to do?';
    const isSlow = words.endsWith(Dialog.translator.load('jupyter_collaboration').__(slow));
    for (const opening of this.openings) {
      if (isSlow) {
        void this.sayWhatItWaitsFor(opening);
        continue;
      }
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

  /** A shared document that the server has no room for only seems slow; the dialog offers to try again. */
  private async sayWhatItWaitsFor(opening: Opening): Promise<void> {
    const { serverSettings } = this.contents;
    const [format, type] = opening.isNotebook ? ['json', 'notebook'] : ['text', 'file'];
    const url = URLExt.join(
      serverSettings.baseUrl,
      'api/collaboration/session',
      URLExt.encodeParts(opening.path)
    );
    const asked = { method: 'PUT', body: JSON.stringify({ format, type }) };
    const answer = await ServerConnection.makeRequest(url, asked, serverSettings);
    if (answer.status === 503 && this.openings.has(opening)) {
      const { message } = (await answer.json()) as { message: string };
      this.endWaiting(opening);
      this.waiting.set(opening, notice('error', message, this.context.trans));
    }
  }

  private endWaiting(opening: Opening): void {
    const shown = this.waiting.get(opening);
    if (shown) {
      Notification.dismiss(shown);
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
    const isMerging = isNotebook && (await this.isMerging(path));
    const close = Dialog.cancelButton({ label: trans.__('Close') });
    const merge = Dialog.okButton({ label: trans.__('Resolve Merge') });
    const edit = (isMerging ? Dialog.cancelButton : Dialog.okButton)({
      label: trans.__('Open with Text Editor')
    });
    const { button } = await showDialog({
      title: isNotebook
        ? trans.__('%1 does not open as a notebook', PathExt.basename(path))
        : trans.__('%1 does not open', PathExt.basename(path)),
      body: why,
      buttons: [
        close,
        ...(isNotebook && (await this.isEditable(path)) ? [edit] : []),
        ...(isMerging ? [merge] : [])
      ]
    });
    if (button.label === merge.label) {
      await commands.execute(CommandIDs.resolveNotebook, { path });
    } else if (button.label === edit.label) {
      await commands.execute('docmanager:open', { path, factory: 'Editor' });
    }
  }

  /** Whether git's marks are all that is wrong with it. */
  private async isMerging(path: string): Promise<boolean> {
    return (
      PathExt.extname(path) === '.ipynb' &&
      (await comparing(this.context.api)
        .merge(this.contents.localPath(path))
        .then(
          () => true,
          () => false
        ))
    );
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
  /** The notices of those that the server has no room for. */
  private readonly waiting = new WeakMap<Opening, string>();
}
