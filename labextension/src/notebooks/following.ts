/** Open notebooks go on with what changed on disk. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISharedCodeCell, YNotebook } from '@jupyter/ydoc';
import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { INotebookModel, INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { CellInputs, Followed } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { inputsOf } from './asOpened';
import { FollowedFile } from './followedFile';
import { unmarkWritten } from './readOnly';
import { markReadOnly } from './rights';
import { tellOfRooms, whyNotSaved } from './rooms';
import { saveUnasked, tellOfOutputs } from './saving';
import { takeSessionAlong } from './sessionPath';
import { takeOver } from './takeOver';
import { explainUnreadable } from './unreadable';

const OURS = 'slipway';
/** What of a document's event is looked at. */
interface DeepEvent {
  path: readonly (string | number)[];
  keys: ReadonlyMap<string, unknown>;
}

/** From here on, for each open notebook; `first` may be closed again, because it could not be read. */
export function follow(
  app: JupyterFrontEnd,
  context: Context,
  notebooks: INotebookTracker,
  first: NotebookPanel | null
): Promise<void> {
  const { contents, serverSettings } = app.serviceManager;
  async function watch(panel: NotebookPanel): Promise<void> {
    explainUnreadable(app, context, panel.context, true);
    await panel.context.ready;
    if (panel.isDisposed) {
      return;
    }
    unmarkWritten(app, panel.context);
    takeSessionAlong(panel.context, contents);
    if (panel.context.model.collaborative) {
      saveUnasked(panel.context, () => whyNotSaved(app, context, panel.context.path));
    } else {
      followedPage(context, panel.context, contents);
    }
  }
  tellOfRooms(app, context);
  if (first && !notebooks.has(first)) {
    explainUnreadable(app, context, first.context, true);
  }
  notebooks.widgetAdded.connect((_, panel) => void watch(panel));
  notebooks.forEach(panel => void watch(panel));
  return markReadOnly(context, notebooks, serverSettings);
}

const pages = new WeakMap<DocumentRegistry.Context, FollowedPage>();

/** What follows a notebook's file for its page, also when that was only about to begin. */
export function followedPage(
  context: Context,
  file: DocumentRegistry.Context,
  contents: Contents.IManager
): FollowedPage {
  let page = pages.get(file);
  if (!page) {
    page = new FollowedPage(context, file, contents);
    pages.set(file, page);
    tellOfOutputs(file, context);
    page.watch();
  }
  return page;
}

export class FollowedPage extends FollowedFile<CellInputs[], Followed> {
  constructor(context: Context, file: DocumentRegistry.Context, contents: Contents.IManager) {
    super(context, file, contents);
    this.path = file.path;
    file.pathChanged.connect((_, path) => {
      this.becoming = this.become(path);
    });
    const { ydoc } = this.model.sharedModel as YNotebook;
    ydoc.getArray('cells').observeDeep(events => {
      this.hasOwnOutputs ||= !this.isTaking && events.some(isOfOutputs);
    });
  }

  protected readonly kind = 'notebook';

  protected state(): CellInputs[] {
    return inputsOf(this.model.sharedModel);
  }

  protected content(): Contents.IModel['content'] {
    return this.model.toJSON();
  }

  protected same(a: readonly CellInputs[], b: readonly CellInputs[]): boolean {
    return (
      a.length === b.length && a.every((cell, at) => cell.id === b[at].id && cell.source === b[at].source)
    );
  }

  protected ask(notebook: string, base: CellInputs[], mine: CellInputs[], clean: boolean): Promise<Followed> {
    return comparing(this.context.api).follow({ notebook, base, mine, clean });
  }

  protected use(answer: Followed): CellInputs[] {
    this.isTaking = true;
    try {
      takeOver(this.model.sharedModel, answer.cells);
    } finally {
      this.isTaking = false;
    }
    if (Object.keys(answer.said).length) {
      this.model.setMetadata(OURS, answer.said);
    }
    return answer.base;
  }

  protected async succeed(path: string): Promise<void> {
    if (!this.goOn(path)) {
      this.sayConverted(path);
    }
    await this.becoming;
  }

  /** It has another path: it was renamed, or converted, which the kernel's session may tell before the disk does. */
  private async become(path: string): Promise<void> {
    const { file, model, context } = this;
    const was = this.path;
    this.path = path;
    if (PathExt.extname(was) === PathExt.extname(path)) {
      return;
    }
    await this.takeAnew();
    // The two forms say different things of the notebook as a whole.
    const found = await this.contents.get(path, { type: 'notebook', content: true }).catch(() => null);
    if (found && !file.isDisposed) {
      const { dirty } = model;
      model.sharedModel.metadata = (found.content as INotebookContent).metadata;
      model.dirty = dirty;
    }
    Notification.info(
      context.trans.__(
        '%1 is %2 now. What is open here goes on there.',
        PathExt.basename(was),
        PathExt.basename(path)
      ),
      { autoClose: 8_000 }
    );
  }

  protected get conflict(): string {
    return this.context.trans.__('Both are kept: choose in the cell.');
  }

  protected get untouched(): boolean {
    const { cells } = this.model.sharedModel;
    return !this.hasOwnOutputs && !cells.some(cell => (cell as ISharedCodeCell).executionState === 'running');
  }

  protected saved(): void {
    this.hasOwnOutputs = false;
  }

  private get model(): INotebookModel {
    return (this.file as DocumentRegistry.IContext<INotebookModel>).model;
  }

  /** Whether something ran here since the last save. That the document is dirty may mean its kernel's name, too. */
  private hasOwnOutputs = false;
  private isTaking = false;
  private path: string;
  private becoming = Promise.resolve();
}

/** Whether what changed is an output or the count beside it, not that cells came or went. */
function isOfOutputs({ path, keys }: DeepEvent): boolean {
  return (
    path.includes('outputs') || (path.length > 0 && ['outputs', 'execution_count'].some(key => keys.has(key)))
  );
}
