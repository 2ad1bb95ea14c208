/** What is loaded with the first notebook: turning it into the other kind, and marks of old outputs. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { type Cell, CodeCell, type ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import { asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { notice } from '../ui/notices';
import type { FollowedPage } from './following';
import { isSaved } from './saving';
import { formatOfTexts } from './textFormat';
import { underWay } from './underWay';

import '../../style/texts.css';

/** The metadata of a cell whose outputs are of an earlier source: never in the text. */
const OURS = 'slipway';
const OLD = 'slipway-mod-old';

/**
 * Save it, let the server write it in the other form, and go on in that, as all pages do by themselves; where the page
 * cannot, it is opened in its place.
 */
export async function convert(
  app: JupyterFrontEnd,
  context: Context,
  panel: NotebookPanel | null
): Promise<void> {
  if (!panel) {
    return;
  }
  const { trans } = context;
  try {
    await underWay(trans.__('Converting %1…', panel.title.label), () => goOnConverted(app, context, panel));
  } catch (error) {
    notice('error', asApiError(error).text, trans);
  }
}

async function goOnConverted(app: JupyterFrontEnd, context: Context, panel: NotebookPanel): Promise<void> {
  const { contents, settings } = app.serviceManager;
  const notebook = contents.localPath(panel.context.path);
  const format = notebook.endsWith('.ipynb') ? await formatOfTexts(settings) : 'ipynb';
  const page = panel.context.model.collaborative ? null : await followed(context, panel, contents);
  if (!(await isSaved(panel))) {
    return;
  }
  const made = await comparing(context.api).convert({ notebook, format, again: true });
  if (page) {
    await page.look();
    if (contents.localPath(panel.context.path) !== notebook) {
      return;
    }
    const { id, name } = panel.sessionContext.session?.kernel ?? {};
    if (!panel.context.model.dirty) {
      panel.close();
    }
    const opening = { path: made.notebook, factory: 'Notebook', kernel: id ? { id, name } : undefined };
    await context.commands.execute('docmanager:open', opening);
  }
  Notification.success(made.message, { autoClose: 6_000 });
}

/** What lets the page go on in the new file: it comes over the network, as its notebook did. */
async function followed(
  context: Context,
  panel: NotebookPanel,
  contents: Contents.IManager
): Promise<FollowedPage> {
  const { followedPage } = await import('./following');
  await panel.context.ready;
  return followedPage(context, panel.context, contents);
}

/** Mark each cell whose outputs are of an earlier source, until it runs again. */
export function markOldOutputs(context: Context, notebooks: INotebookTracker): void {
  const { trans } = context;
  const said = trans.__('Output of an earlier version of this cell. Run it to see what it gives now.');

  function draw(cell: Cell): void {
    if (!(cell instanceof CodeCell) || cell.isDisposed) {
      return;
    }
    const old = isOld(cell.model);
    cell.outputArea.toggleClass(OLD, old);
    if (old) {
      cell.outputArea.node.dataset.slipwayOld = said;
    } else {
      delete cell.outputArea.node.dataset.slipwayOld;
    }
  }

  function watch(cell: Cell): void {
    if (!(cell instanceof CodeCell)) {
      return;
    }
    draw(cell);
    cell.model.metadataChanged.connect(() => draw(cell));
    cell.model.stateChanged.connect((model, change) => {
      if (change.name === 'executionCount' && change.newValue !== null && isOld(model as ICodeCellModel)) {
        model.deleteMetadata(OURS);
      }
    });
  }

  function watchAll(panel: NotebookPanel): void {
    const seen = new WeakSet<Cell>();
    const look = () =>
      panel.content.widgets
        .filter(cell => !seen.has(cell))
        .forEach(cell => {
          seen.add(cell);
          watch(cell);
        });
    void panel.revealed.then(() => {
      look();
      panel.content.model?.cells.changed.connect(look);
      panel.content.modelContentChanged.connect(look);
    });
  }

  notebooks.widgetAdded.connect((_, panel) => watchAll(panel));
  notebooks.forEach(watchAll);
}

function isOld(model: ICodeCellModel): boolean {
  const said: unknown = model.getMetadata(OURS);
  return typeof said === 'object' && said !== null && 'stale' in said;
}
