/** Comparing notebooks and looking back on them: only names are known at start; the rest comes with the first use. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { historyIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import type { Drawing, Pages } from '../pages';
import { CommandIDs } from '../tokens';
import type { Context } from '../ui/context';
import type { NotebookDesk } from './desk';

type Schemas = typeof import('./arguments');
type Act =
  | 'compare'
  | 'compareWithHead'
  | 'compareWithSaved'
  | 'compareWithRevision'
  | 'compareWithProduction'
  | 'history'
  | 'cellHistory'
  | 'resolve'
  | 'undoMerge'
  | 'share'
  | 'restore'
  | 'restoreCell';

const IN_PALETTE = [
  CommandIDs.compareWithHead,
  CommandIDs.compareWithSaved,
  CommandIDs.compareWithRevision,
  CommandIDs.compareWithProduction,
  CommandIDs.notebookHistory,
  CommandIDs.cellHistory,
  CommandIDs.resolveNotebook,
  CommandIDs.undoMerge,
  CommandIDs.shareNotebook
];

/** Returns what brings the marks in open notebooks. */
export function addComparing(
  app: JupyterFrontEnd,
  context: Context,
  notebooks: INotebookTracker,
  pages: Pages,
  drawing: Drawing,
  palette: ICommandPalette | null
): () => Promise<void> {
  const { commands, trans } = context;
  let made: Promise<NotebookDesk> | null = null;
  const desk = () =>
    (made ??= import('./desk').then(
      ({ NotebookDesk }) => new NotebookDesk(app, context, notebooks, pages, drawing)
    ));
  let shared: NotebookDesk | null = null;
  const add = (
    id: string,
    label: string,
    act: Act,
    schema: keyof Schemas = 'A_NOTEBOOK',
    options: Partial<CommandRegistry.ICommandOptions> = {}
  ) =>
    commands.addCommand(id, {
      label: args => String(args.label ?? label),
      // Read by links and agents: not at start.
      describedBy: () => import('./arguments').then(found => found[schema]),
      isEnabled: args => 'path' in args || 'selected' in args || notebooks.currentWidget !== null,
      execute: async args => (await desk())[act](args),
      ...options
    });
  add(CommandIDs.compareNotebook, trans.__('Compare Notebook'), 'compare', 'A_COMPARISON');
  add(CommandIDs.compareWithHead, trans.__('Compare Notebook with Last Commit'), 'compareWithHead');
  add(CommandIDs.compareWithSaved, trans.__('Compare Notebook with Last Save'), 'compareWithSaved');
  add(CommandIDs.compareWithRevision, trans.__('Compare Notebook with Revision…'), 'compareWithRevision');
  add(
    CommandIDs.compareWithProduction,
    trans.__('Compare Notebook with Version in Production'),
    'compareWithProduction'
  );
  add(CommandIDs.notebookHistory, trans.__('Notebook History'), 'history', 'A_NOTEBOOK', {
    icon: historyIcon,
    caption: trans.__('Versions of this notebook, and who changed each cell')
  });
  add(CommandIDs.cellHistory, trans.__('History of This Cell'), 'cellHistory', 'A_CLICKED_CELL');
  add(CommandIDs.resolveNotebook, trans.__('Resolve Merge of Notebook'), 'resolve');
  add(CommandIDs.undoMerge, trans.__('Undo Last Merge with the Disk'), 'undoMerge');
  add(CommandIDs.shareNotebook, trans.__('Share Uncommitted Work on This Notebook'), 'share', 'A_NOTEBOOK', {
    isToggleable: true,
    isToggled: () => shared?.shares() ?? false
  });
  add(CommandIDs.restoreRevision, trans.__('Restore'), 'restore', 'A_REVISION');
  add(CommandIDs.restoreCell, trans.__('Restore'), 'restoreCell', 'A_CELL_TO_RESTORE');
  for (const command of IN_PALETTE) {
    palette?.addItem({ command, category: trans.__('Slipway') });
  }
  return async () => {
    shared = await desk();
    shared.watch();
  };
}
