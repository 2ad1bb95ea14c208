/** Open notebooks go on with what changed on disk. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISharedCodeCell } from '@jupyter/ydoc';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookModel, INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { CellInputs, Followed } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { FollowedFile } from './followedFile';
import { markReadOnly } from './rights';
import { tellOfRooms } from './rooms';
import { takeOver } from './takeOver';

const OURS = 'slipway';

/** From here on, for each open notebook. */
export function follow(app: JupyterFrontEnd, context: Context, notebooks: INotebookTracker): Promise<void> {
  const { contents, serverSettings } = app.serviceManager;
  async function watch(panel: NotebookPanel): Promise<void> {
    await panel.context.ready;
    if (!panel.isDisposed && !panel.context.model.collaborative) {
      new FollowedPage(context, panel.context, contents).watch();
    }
  }
  tellOfRooms(app, context);
  notebooks.widgetAdded.connect((_, panel) => void watch(panel));
  notebooks.forEach(panel => void watch(panel));
  return markReadOnly(context, notebooks, serverSettings);
}

export class FollowedPage extends FollowedFile<CellInputs[], Followed> {
  protected readonly kind = 'notebook';

  protected state(): CellInputs[] {
    return this.model.sharedModel.cells.map(cell => ({
      id: cell.getId(),
      cell_type: cell.cell_type,
      source: cell.source
    }));
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
    takeOver(this.model.sharedModel, answer.cells);
    if (Object.keys(answer.said).length) {
      this.model.setMetadata(OURS, answer.said);
    }
    return answer.base;
  }

  protected get conflict(): string {
    return this.context.trans.__('Both are kept: choose in the cell.');
  }

  protected get untouched(): boolean {
    const { cells } = this.model.sharedModel;
    return super.untouched && !cells.some(cell => (cell as ISharedCodeCell).executionState === 'running');
  }

  private get model(): INotebookModel {
    return (this.file as DocumentRegistry.IContext<INotebookModel>).model;
  }
}
