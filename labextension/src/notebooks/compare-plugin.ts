/** Comparing a notebook with what it was, its history, conflicts in its cells, and what colleagues do with it. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { type ICommandPalette, Notification } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { asApiError } from '../api';
import { slipwayIcon } from '../icons';
import { type Drawing, Page } from '../pages';
import { CommandIDs } from '../tokens';
import { A_COMPARISON, A_NOTEBOOK, A_REVISION, NOTHING } from '../ui/arguments';
import { type Context, SlipwayWidget } from '../ui/context';
import { Keeping } from './keeping';

/** How a conflict begins in a cell's source. */
const MARK = '<<<<<<< ';

export function addCompare(
  app: JupyterFrontEnd,
  context: Context,
  notebooks: INotebookTracker,
  drawing: Drawing,
  palette: ICommandPalette | null
): void {
  const { commands, trans, api } = context;
  const { contents } = app.serviceManager;
  const path = () => {
    const panel = notebooks.currentWidget;
    return panel ? contents.localPath(panel.context.path) : '';
  };
  const refused = (error: unknown) => Notification.error(asApiError(error).text, { autoClose: false });
  const isEnabled = () => notebooks.currentWidget !== null;

  function show(
    id: string,
    command: string,
    args: Page['args'],
    title: string,
    view: () => JSX.Element
  ): void {
    if (![...app.shell.widgets('main')].some(widget => widget.id === id)) {
      const page = new Page(new SlipwayWidget(context, view), command, args);
      page.id = id;
      page.title.label = title;
      page.title.icon = slipwayIcon;
      page.title.closable = true;
      app.shell.add(page, 'main', { type: 'Slipway' });
    }
    app.shell.activateById(id);
  }

  commands.addCommand(CommandIDs.compareNotebook, {
    label: args => String(args.label ?? trans.__('Compare Notebook')),
    describedBy: A_COMPARISON,
    execute: async args => {
      const { NotebookComparison } = await import('./compare');
      const asked = {
        path: String(args.path ?? path()),
        base: String(args.base ?? 'HEAD'),
        other: String(args.other ?? '')
      };
      const panel = notebooks.find(one => contents.localPath(one.context.path) === asked.path);
      const unsaved = args.unsaved === true ? panel : undefined;
      show(
        ['slipway-notebook', asked.path, asked.base, asked.other, unsaved ? 'unsaved' : ''].join('-'),
        CommandIDs.compareNotebook,
        args,
        trans.__('Changes: %1', asked.path.split('/').pop()),
        () => NotebookComparison({ ...asked, unsaved, drawing, title: String(args.title ?? '') })
      );
    }
  });
  const compare = (base: string, title: string, more = {}) =>
    commands.execute(CommandIDs.compareNotebook, { path: path(), base, title, ...more });

  commands.addCommand(CommandIDs.compareWithHead, {
    label: trans.__('Compare Notebook with Last Commit'),
    describedBy: NOTHING,
    isEnabled,
    execute: () => compare('HEAD', trans.__('Since the last commit'))
  });
  commands.addCommand(CommandIDs.compareWithSaved, {
    label: trans.__('Compare Notebook with Last Save'),
    describedBy: NOTHING,
    isEnabled,
    execute: () => compare('', trans.__('Since the last save'), { unsaved: true })
  });
  commands.addCommand(CommandIDs.compareWithRevision, {
    label: trans.__('Compare Notebook with Revision…'),
    describedBy: NOTHING,
    isEnabled,
    execute: async () => {
      const { InputDialog } = await import('@jupyterlab/apputils');
      const asked = await InputDialog.getText({
        title: trans.__('Compare with'),
        label: trans.__('A commit, a branch or a tag'),
        text: 'HEAD~1'
      });
      if (asked.button.accept && asked.value) {
        await compare(asked.value, trans.__('Since %1', asked.value));
      }
    }
  });
  commands.addCommand(CommandIDs.compareWithProduction, {
    label: trans.__('Compare Notebook with Version in Production'),
    describedBy: NOTHING,
    isEnabled,
    execute: async () => {
      try {
        const { inProduction } = await import('./production');
        const found = await inProduction(context, path());
        if (found) {
          await compare(found.commit, trans.__('Since %1, version %2', found.job, found.version));
        } else {
          Notification.info(
            trans.__(
              'No cell of this notebook is in production from a commit. Publish a cell, then compare.'
            ),
            { autoClose: 6_000 }
          );
        }
      } catch (error) {
        refused(error);
      }
    }
  });
  commands.addCommand(CommandIDs.notebookHistory, {
    label: trans.__('Notebook History'),
    describedBy: A_NOTEBOOK,
    isEnabled: args => typeof args.path === 'string' || isEnabled(),
    execute: async args => {
      const { HistoryPage } = await import('./history');
      const of = String(args.path ?? path());
      show(
        `slipway-history-${of}`,
        CommandIDs.notebookHistory,
        { path: of },
        trans.__('History: %1', of.split('/').pop()),
        () => HistoryPage({ path: of })
      );
    }
  });
  commands.addCommand(CommandIDs.restoreRevision, {
    label: trans.__('Restore Revision'),
    describedBy: A_REVISION,
    execute: async args => {
      try {
        const of = String(args.path);
        const { snapshot } = await api.compare.restore(of, String(args.revision));
        const undo = snapshot && {
          label: trans.__('Undo'),
          callback: () => void commands.execute(CommandIDs.restoreRevision, { path: of, revision: snapshot })
        };
        Notification.success(trans.__('%1 is what it was then.', of.split('/').pop()), {
          autoClose: 10_000,
          ...(undo ? { actions: [undo] } : {})
        });
        await notebooks.find(one => contents.localPath(one.context.path) === of)?.context.revert();
      } catch (error) {
        refused(error);
      }
    }
  });

  const keeping = new Keeping(context, notebooks, contents);
  commands.addCommand(CommandIDs.shareNotebook, {
    label: trans.__('Share Uncommitted Work on This Notebook'),
    caption: trans.__('Colleagues who share too see, cell by cell, what you changed and did not commit'),
    describedBy: NOTHING,
    isEnabled,
    isToggleable: true,
    isToggled: () => keeping.shares(path()),
    execute: () => keeping.toggle(path()).catch(refused)
  });

  notebooks.widgetAdded.connect((_, panel) => watchConflicts(context, panel));
  notebooks.forEach(panel => watchConflicts(context, panel));
  const category = trans.__('Slipway');
  for (const command of [
    CommandIDs.compareWithHead,
    CommandIDs.compareWithRevision,
    CommandIDs.compareWithSaved,
    CommandIDs.compareWithProduction,
    CommandIDs.notebookHistory,
    CommandIDs.shareNotebook
  ]) {
    palette?.addItem({ command, category });
  }
}

/** Loads the code for conflicts when a cell has one. */
function watchConflicts(context: Context, panel: NotebookPanel): void {
  const look = async () => {
    const cells = [...(panel.content.model?.cells ?? [])];
    if (panel.isDisposed || !cells.some(cell => cell.sharedModel.source.includes(MARK))) {
      return;
    }
    panel.content.modelContentChanged.disconnect(look);
    const { ConflictBars } = await import('./conflicts');
    if (!panel.isDisposed) {
      new ConflictBars(context, panel);
    }
  };
  panel.content.modelContentChanged.connect(look);
  void panel.context.ready.then(look);
}
