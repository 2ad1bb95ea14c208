/**
 * Open notebooks learn what changed on disk and go on with both: nobody is asked whether to overwrite or to revert.
 *
 * For pages without jupyter-collaboration; with it, the server does this for all pages of a notebook at once.
 */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { ISharedCodeCell } from '@jupyter/ydoc';
import type { INotebookModel, INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import { type CellInputs, type Followed, asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { markReadOnly } from './rights';
import { takeOver } from './takeOver';

/** Milliseconds between two looks at the files of notebooks that are seen. */
const EVERY = 2_000;
/** Times that somebody may go on typing while the server merges, before that is left to the next look. */
const TRIES = 20;
const OURS = 'slipway';

/** What of a document's context has no public name: without it, JupyterLab asks as it always did. */
interface Inner {
  _updateContentsModel?: (model: Contents.IModel) => void;
  _maybeSave?: (options: Partial<Contents.IModel>) => Promise<Contents.IModel>;
}

/** From here on, for each open notebook. */
export function follow(app: JupyterFrontEnd, context: Context, notebooks: INotebookTracker): Promise<void> {
  const { contents, serverSettings } = app.serviceManager;
  async function watch(panel: NotebookPanel): Promise<void> {
    await panel.context.ready;
    if (panel.isDisposed || panel.context.model.collaborative) {
      return;
    }
    const page = new FollowedPage(context, panel, contents);
    const timer = window.setInterval(() => {
      if (!document.hidden) {
        void page.look();
      }
    }, EVERY);
    panel.disposed.connect(() => window.clearInterval(timer));
  }
  notebooks.widgetAdded.connect((_, panel) => void watch(panel));
  notebooks.forEach(panel => void watch(panel));
  return markReadOnly(context, notebooks, serverSettings);
}

export class FollowedPage {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel,
    private readonly contents: Contents.IManager
  ) {
    this.base = inputs(this.model);
    panel.context.saveState.connect((_, state) => {
      if (state === 'completed') {
        // The server merges what changed between its look and its write.
        void this.take(false);
      }
    });
    const inner: Inner = panel.context as unknown as Inner;
    const save = inner._maybeSave?.bind(panel.context);
    if (save) {
      let before: Promise<unknown> = Promise.resolve();
      inner._maybeSave = options => {
        // One after the other: each has to know what the one before it has put on disk.
        const saved = before.then(async () => {
          await this.look();
          const sent = inputs(this.model);
          const model = await save({ ...options, content: this.model.toJSON() });
          this.base = sent;
          return model;
        });
        before = saved.catch(() => undefined);
        return saved;
      };
    }
  }

  /** Takes in what is on disk, if that is something else than this page knows. */
  async look(): Promise<void> {
    if (this.panel.isDisposed) {
      return;
    }
    const now = await this.onDisk();
    const known = this.panel.context.contentsModel?.hash;
    if (now?.hash && known && now.hash !== known && now.hash !== this.refused) {
      await this.take(true);
    }
  }

  /** `anew`: also the outputs on disk, if this page has none of its own. */
  private async take(anew: boolean): Promise<void> {
    const { api, trans } = this.context;
    const notebook = this.contents.localPath(this.panel.context.path);
    for (let tries = 0; tries < TRIES && !this.panel.isDisposed; tries++) {
      const [base, mine, clean] = [this.base, inputs(this.model), anew && this.untouched];
      let answer: Followed;
      try {
        answer = await comparing(api).follow({ notebook, base, mine, clean });
      } catch (error) {
        const refusal = asApiError(error);
        const now = await this.onDisk();
        if (now?.hash && now.hash !== this.refused && refusal.status < 500) {
          this.refused = now.hash;
          Notification.warning(trans.__('%1 What is open here is kept.', refusal.text), { autoClose: false });
        }
        return;
      }
      if (this.panel.isDisposed || base !== this.base) {
        return;
      }
      // Outputs that came meanwhile are this page's own.
      if (same(mine, inputs(this.model)) && (!clean || this.untouched)) {
        this.use(answer);
        await this.settle(answer.hash);
        return;
      }
    }
  }

  private use(answer: Followed): void {
    const { model } = this;
    const { dirty } = model;
    takeOver(model.sharedModel, answer.cells);
    if (Object.keys(answer.said).length) {
      model.setMetadata(OURS, answer.said);
    }
    model.dirty = dirty;
    this.base = answer.base;
    this.refused = '';
    if (answer.conflicts) {
      const { trans } = this.context;
      Notification.warning(
        trans.__('%1 changed on disk in the same place. Both are kept: choose in the cell.', this.name),
        { autoClose: 8_000 }
      );
    }
  }

  /** From here on this page has seen the file as it is on disk, if it is still what was taken over. */
  private async settle(hash: string): Promise<void> {
    const now = await this.onDisk();
    if (now?.hash === hash && !this.panel.isDisposed) {
      (this.panel.context as unknown as Inner)._updateContentsModel?.(now);
    }
  }

  private onDisk(): Promise<Contents.IModel | null> {
    // Deleted, or not to be reached: saving says so.
    return this.contents
      .get(this.panel.context.path, { content: false, hash: true, type: 'notebook' })
      .catch(() => null);
  }

  private get model(): INotebookModel {
    return (this.panel.context as DocumentRegistry.IContext<INotebookModel>).model;
  }

  /** Whether nothing was typed or run here since the file was read or saved. */
  private get untouched(): boolean {
    const { cells } = this.model.sharedModel;
    return !this.model.dirty && !cells.some(cell => (cell as ISharedCodeCell).executionState === 'running');
  }

  private get name(): string {
    return this.panel.title.label;
  }

  /** What was on disk when the page and the disk last agreed. */
  private base: CellInputs[];
  /** The hash of what could not be taken over: said once. */
  private refused = '';
}

function inputs(model: INotebookModel): CellInputs[] {
  return model.sharedModel.cells.map(cell => ({
    id: cell.getId(),
    cell_type: cell.cell_type,
    source: cell.source
  }));
}

function same(a: readonly CellInputs[], b: readonly CellInputs[]): boolean {
  return a.length === b.length && a.every((cell, at) => cell.id === b[at].id && cell.source === b[at].source);
}
