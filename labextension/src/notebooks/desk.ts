/** What can be done to compare notebooks and to look back on them, and the marks in those that are open. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import { asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Drawing, Pages } from '../pages';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget } from '../ui/context';
import { notice } from '../ui/notices';
import { WishingView } from '../ui/wishing';
import { HEAD, OPEN } from './choice';
import type { Pair } from './compare';
import type { HistoryTab, Wanted } from './history';
import { Keeping } from './keeping';
import { meantCell } from './meantCell';
import { inProduction } from './production';
import { replacement } from './replacement';
import { isSaved } from './saving';

type Arguments = ReadonlyPartialJSONObject;

/** How a conflict begins in a cell's source. */
const MARK = '<<<<<<< ';
const TABS: readonly string[] = ['versions', 'cells', 'colleagues'];

export class NotebookDesk {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly context: Context,
    private readonly notebooks: INotebookTracker,
    private readonly pages: Pages,
    private readonly drawing: Drawing
  ) {
    this.contents = app.serviceManager.contents;
    this.keeping = new Keeping(context, notebooks, this.contents, app.serviceManager.events.stream);
  }

  /** Marks, from now on, what happens in notebooks that are open. */
  watch(): void {
    this.keeping.start();
    this.notebooks.widgetAdded.connect((_, panel) => this.watchConflicts(panel));
    this.notebooks.forEach(panel => this.watchConflicts(panel));
  }

  shares(): boolean {
    const panel = this.notebooks.currentWidget;
    return panel !== null && this.keeping.shares(this.contents.localPath(panel.context.path));
  }

  share(): Promise<void> {
    return this.keeping.toggle(this.path({})).catch(this.refused);
  }

  async compare(args: Arguments): Promise<void> {
    const { NotebookComparison } = await import('./compare');
    const path = this.path(args);
    const pair: Pair = { base: String(args.base ?? HEAD), other: String(args.other ?? '') };
    if (args.unsaved === true) {
      pair.other = OPEN;
    }
    const wish = { pair, title: String(args.title ?? '') };
    const opened = () => (this.opened(path)?.content.model?.toJSON() as object | undefined) ?? null;
    const asked = { path, ...pair, title: wish.title };
    await this.pages.show(
      `slipway-changes-${path}`,
      CommandIDs.compareNotebook,
      asked,
      this.context.trans.__('Changes: %1', nameOf(path)),
      page => {
        if (page) {
          this.pages.remember(page, asked);
        }
        return this.wished(page, wish, ({ pair, title }) =>
          drawn(NotebookComparison, {
            path,
            pair,
            title,
            opened,
            drawing: this.drawing,
            onPair: chosen => {
              const shown = this.pages.tracker.find(one => one.id === `slipway-changes-${path}`);
              if (shown) {
                this.pages.remember(shown, { path, ...chosen });
              }
            }
          })
        );
      }
    );
  }

  compareWithHead(args: Arguments): Promise<void> {
    return this.compare({ ...args, base: HEAD });
  }

  compareWithSaved(args: Arguments): Promise<void> {
    return this.compare({ ...args, base: '', unsaved: true });
  }

  async compareWithRevision(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const { InputDialog } = await import('@jupyterlab/apputils');
    const asked = await InputDialog.getText({
      title: trans.__('Compare with'),
      label: trans.__('A commit, a branch or a tag'),
      text: 'HEAD~1'
    });
    if (asked.button.accept && asked.value) {
      await this.compare({ ...args, base: asked.value });
    }
  }

  async compareWithProduction(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const path = this.path(args);
    try {
      const found = await inProduction(this.context, path);
      if (found) {
        const title = trans.__('%1, version %2', found.job, found.version);
        await this.compare({ path, base: found.state, title });
      } else {
        Notification.info(
          trans.__('No cell of this notebook is in production. Publish a cell, then compare.'),
          { autoClose: 6_000 }
        );
      }
    } catch (error) {
      this.refused(error);
    }
  }

  async history(args: Arguments): Promise<void> {
    const { HistoryPage } = await import('./history');
    const path = this.path(args);
    const wanted: Wanted = {
      tab: (TABS.includes(String(args.tab)) ? args.tab : 'versions') as HistoryTab,
      cell: String(args.cell ?? ''),
      id: String(args.id ?? '')
    };
    await this.pages.show(
      `slipway-history-${path}`,
      CommandIDs.notebookHistory,
      { path, ...wanted },
      this.context.trans.__('History: %1', nameOf(path)),
      page =>
        this.wished(page, wanted, wish => drawn(HistoryPage, { path, wanted: wish, drawing: this.drawing }))
    );
  }

  /** Of the cell that was clicked, else of the active one: by its id where the file keeps ids, else by its place. */
  async cellHistory(args: Arguments): Promise<void> {
    const { currentWidget: panel } = this.notebooks;
    const cells = panel?.content.widgets ?? [];
    const clicked =
      args.clicked === true && this.app.contextMenuHitTest(node => node.classList.contains('jp-Cell'));
    const chosen = cells.find(one => one.node === clicked) ?? panel?.content.activeCell;
    if (!chosen || !panel) {
      return;
    }
    const path = this.contents.localPath(panel.context.path);
    const { id } = chosen.model;
    const isText = !path.endsWith('.ipynb');
    if (isText && panel.context.model.dirty) {
      // The server knows it by its place in the file.
      await panel.context.save().catch(() => undefined);
    }
    const cell = isText ? String(cells.indexOf(chosen)) : id;
    await this.history({ path, tab: 'cells', cell, id });
  }

  async resolve(args: Arguments): Promise<void> {
    const path = this.path(args);
    if (!path.endsWith('.ipynb')) {
      // Its conflicted cells have a bar each.
      await this.context.commands.execute('docmanager:open', { path, factory: 'Notebook' });
      return;
    }
    const { ResolvePage } = await import('./resolve');
    await this.pages.show(
      `slipway-resolve-${path}`,
      CommandIDs.resolveNotebook,
      { path },
      this.context.trans.__('Merge: %1', nameOf(path)),
      () => ({
        view: new SlipwayWidget(this.context, () => drawn(ResolvePage, { path, drawing: this.drawing }))
      })
    );
  }

  /** What the disk last changed against what was typed in a shared notebook: as its notice offers, by keyboard. */
  undoMerge(args: Arguments): Promise<void> {
    return comparing(this.context.api).undoMerge(this.path(args)).catch(this.refused);
  }

  async restore(args: Arguments): Promise<void> {
    const { commands, overview, trans, api } = this.context;
    const path = String(args.path);
    try {
      const open = this.opened(path);
      if (open && !(await isSaved(open))) {
        return;
      }
      const { snapshot } = await comparing(api).restore(path, String(args.revision));
      const undo = snapshot && {
        label: trans.__('Undo'),
        callback: () => void commands.execute(CommandIDs.restoreRevision, { path, revision: snapshot })
      };
      Notification.success(trans.__('%1 is what it was then.', nameOf(path)), {
        autoClose: 10_000,
        ...(undo ? { actions: [undo] } : {})
      });
      await this.opened(path)?.context.revert();
      overview.announce({ kind: 'notebook', id: path });
    } catch (error) {
      this.refused(error);
    }
  }

  /** An edit of the open notebook like any other. Returns the id of the cell; '' when there is none to put it into. */
  async restoreCell(args: Arguments): Promise<string> {
    const { commands, trans } = this.context;
    const path = String(args.path);
    await commands.execute('docmanager:open', { path, factory: 'Notebook' });
    const panel = this.opened(path);
    await panel?.revealed;
    const cells = panel?.content.widgets ?? [];
    const there = cells.map(({ model }) => ({ id: model.id, source: model.sharedModel.getSource() }));
    const index = meantCell(there, { cell: String(args.cell), was: String(args.was ?? '') });
    if (!panel || index < 0) {
      Notification.warning(
        trans.__(
          'This cell is no longer in the notebook, or says something else by now: look at its history again.'
        ),
        { autoClose: 8_000 }
      );
      return '';
    }
    const { start, end, text } = replacement(there[index].source, String(args.source));
    cells[index].model.sharedModel.updateSource(start, end, text);
    panel.content.activeCellIndex = index;
    await panel.content.scrollToItem(index, 'smart');
    return there[index].id;
  }

  private opened(path: string): NotebookPanel | undefined {
    return this.notebooks.find(one => this.contents.localPath(one.context.path) === path);
  }

  /** The notebook that is meant: named, selected in the file browser, or in front. */
  private path(args: Arguments): string {
    const panel = this.notebooks.currentWidget;
    const path =
      typeof args.path === 'string'
        ? args.path
        : args.selected === true
          ? selected(this.app)
          : panel?.context.path;
    return path ? this.contents.localPath(path) : '';
  }

  private wished<T>(
    page: Parameters<Parameters<Pages['show']>[4]>[0],
    wish: T,
    view: (wish: T) => JSX.Element
  ) {
    if (page?.content instanceof WishingView) {
      page.content.want(wish);
      return null;
    }
    return { view: new WishingView<T>(this.context, view, wish) };
  }

  /** Loads the code for conflicts when a cell has one. */
  private watchConflicts(panel: NotebookPanel): void {
    let found = false;
    const look = async () => {
      const cells = [...(panel.content.model?.cells ?? [])];
      if (found || panel.isDisposed || !cells.some(cell => cell.sharedModel.source.includes(MARK))) {
        return;
      }
      found = true;
      panel.content.modelContentChanged.disconnect(look);
      const { ConflictBars } = await import('./conflicts');
      if (!panel.isDisposed) {
        new ConflictBars(this.context, panel, this.contents);
      }
    };
    panel.content.modelContentChanged.connect(look);
    void panel.context.ready.then(look);
  }

  private readonly refused = (error: unknown): void =>
    void notice('error', asApiError(error).text, this.context.trans);

  private readonly contents: Contents.IManager;
  private readonly keeping: Keeping;
}

function drawn<P extends object>(view: React.FunctionComponent<P>, props: P): JSX.Element {
  return React.createElement(view, props);
}

function nameOf(path: string): string {
  return path.split('/').pop() ?? path;
}

/** What is selected in the file browser. */
function selected(app: JupyterFrontEnd): string {
  const browser = [...app.shell.widgets('left')].find(widget => widget.id === 'filebrowser');
  const items =
    browser && 'selectedItems' in browser
      ? (browser as unknown as { selectedItems: () => Iterator<Contents.IModel> }).selectedItems()
      : null;
  return items?.next().value?.path ?? '';
}
