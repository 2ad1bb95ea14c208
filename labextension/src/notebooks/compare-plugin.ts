/** Comparing notebooks and looking back on them: only names are known at start; the rest comes with the first use. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { historyIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Drawing, Pages } from '../pages';
import { CommandIDs } from '../tokens';
import { A_CELL_TO_RESTORE, A_CLICKED_CELL, A_COMPARISON, A_NOTEBOOK, A_REVISION } from '../ui/arguments';
import type { Context } from '../ui/context';
import type { NotebookDesk } from './desk';

type Arguments = ReadonlyPartialJSONObject;

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
  const category = trans.__('Slipway');
  let made: Promise<NotebookDesk> | null = null;
  const desk = () =>
    (made ??= import('./desk').then(
      ({ NotebookDesk }) => new NotebookDesk(app, context, notebooks, pages, drawing)
    ));
  const add = (
    id: string,
    label: string,
    act: (to: NotebookDesk, args: Arguments) => Promise<void>,
    options: Partial<CommandRegistry.ICommandOptions> = {}
  ) => {
    commands.addCommand(id, {
      label: args => String(args.label ?? label),
      describedBy: A_NOTEBOOK,
      isEnabled: args => 'path' in args || 'selected' in args || notebooks.currentWidget !== null,
      execute: async args => act(await desk(), args),
      ...options
    });
    palette?.addItem({ command: id, category });
  };
  add(CommandIDs.compareNotebook, trans.__('Compare Notebook'), (to, args) => to.compare(args), {
    describedBy: A_COMPARISON
  });
  add(CommandIDs.compareWithHead, trans.__('Compare Notebook with Last Commit'), (to, args) =>
    to.compare({ ...args, base: 'HEAD' })
  );
  add(CommandIDs.compareWithSaved, trans.__('Compare Notebook with Last Save'), (to, args) =>
    to.compareWithSaved(args)
  );
  add(CommandIDs.compareWithRevision, trans.__('Compare Notebook with Revision…'), (to, args) =>
    to.compareWithRevision(args)
  );
  add(CommandIDs.compareWithProduction, trans.__('Compare Notebook with Version in Production'), (to, args) =>
    to.compareWithProduction(args)
  );
  add(CommandIDs.notebookHistory, trans.__('Notebook History'), (to, args) => to.history(args), {
    icon: historyIcon,
    caption: trans.__('Versions of this notebook, and who changed each cell')
  });
  add(CommandIDs.cellHistory, trans.__('History of This Cell'), (to, args) => to.cellHistory(args), {
    describedBy: A_CLICKED_CELL
  });
  add(CommandIDs.resolveNotebook, trans.__('Resolve Merge of Notebook'), (to, args) => to.resolve(args));
  let shared: NotebookDesk | null = null;
  add(CommandIDs.shareNotebook, trans.__('Share Uncommitted Work on This Notebook'), to => to.share(), {
    isToggleable: true,
    isToggled: () => shared?.shares() ?? false
  });
  for (const [id, act] of [
    [CommandIDs.restoreRevision, 'restore'],
    [CommandIDs.restoreCell, 'restoreCell']
  ] as const) {
    commands.addCommand(id, {
      label: trans.__('Restore'),
      describedBy: id === CommandIDs.restoreCell ? A_CELL_TO_RESTORE : A_REVISION,
      execute: async args => (await desk())[act](args)
    });
  }
  return async () => {
    shared = await desk();
    shared.watch();
  };
}
