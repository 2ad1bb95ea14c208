/** A bar above each conflicted cell: mine, theirs, both. Taking one is an edit like any other: it can be undone. */
import type { YNotebook } from '@jupyter/ydoc';
import { Notification } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { Context } from '../ui/context';
import { putAtTop } from './atTop';
import { gitAdd } from './gitAdd';
import { isSaved } from './saving';
import { type Side, type Sides, sides } from './sides';

import '../../style/compare.css';

/** How the server calls the other side, when what is open and its file changed against each other. */
const ON_DISK = 'on disk';

/** What a cell was before a side was taken, and is since. */
interface Taken {
  before: string;
  now: string;
  side: Side;
}

export class ConflictBars {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel,
    private readonly contents: Contents.IManager
  ) {
    const { ydoc } = panel.context.model.sharedModel as YNotebook;
    ydoc.on('beforeObserverCalls', ({ local }: { local: boolean }) => (this.isFromHere = local));
    panel.content.modelContentChanged.connect(this.draw, this);
    this.draw();
  }

  private draw(): void {
    let left = 0;
    for (const cell of this.panel.content.widgets) {
      const { source } = cell.model.sharedModel;
      const found = sides(source);
      const taken = this.taken.get(cell.model.id);
      const wanted = found ? 'conflict' : taken?.now === source ? 'taken' : '';
      left += found ? 1 : 0;
      this.isOfGit ||= found !== null && found.theirsLabel !== ON_DISK;
      const bar = cell.node.querySelector<HTMLElement>(':scope > .slipway-Conflict');
      if (bar?.dataset.state === wanted) {
        continue;
      }
      const isHeld = bar?.contains(document.activeElement) ?? false;
      this.isMine ||=
        this.isFromHere && bar?.dataset.state === 'conflict' && cell.node.contains(document.activeElement);
      bar?.remove();
      cell.node.classList.toggle('slipway-mod-conflict', found !== null);
      if (found) {
        putAtTop(cell, this.conflictBar(cell, found));
      } else if (taken && wanted) {
        putAtTop(cell, this.takenBar(cell, taken));
      }
      if (isHeld) {
        // Who chose by keyboard goes on from here.
        (cell.node.querySelector<HTMLElement>(':scope > .slipway-Conflict button') ?? cell.node).focus();
      }
    }
    const before = this.left;
    // First: to save is to change, too.
    this.left = left;
    if (before && !left && this.isOfGit) {
      const { isMine } = this;
      this.isOfGit = this.isMine = false;
      if (!isMine) {
        // Another page tells the one who settled it, or it was settled on disk.
        return;
      }
      this.saving = this.saving.then(() => this.done());
    }
  }

  private conflictBar(cell: Cell, found: Sides): HTMLElement {
    const { trans } = this.context;
    const { mine, theirs, mineLabel, theirsLabel } = found;
    const bar = this.bar('conflict', trans.__('Conflict in this cell'));
    bar.append(
      words(
        mine && theirs
          ? trans.__('Both sides changed this cell. Keep')
          : trans.__('One side changed this cell, the other has removed it. Keep')
      )
    );
    const named = (side: string, label: string, there: string) =>
      [side, label && `(${label})`, there ? '' : `– ${trans.__('removed')}`].filter(Boolean).join(' ');
    // So the server calls a side of which git does not say the branch.
    const branch = (label: string, usual: Side) => (label === usual ? '' : label);
    const [ours, other] = [branch(mineLabel, 'mine'), branch(theirsLabel, 'theirs')];
    bar.append(button(named(trans.__('Mine'), ours, mine), () => this.take(cell, 'mine')));
    bar.append(button(named(trans.__('Theirs'), other, theirs), () => this.take(cell, 'theirs')));
    if (mine && theirs) {
      bar.append(button(trans.__('Both'), () => this.take(cell, 'both')));
    }
    return bar;
  }

  private takenBar(cell: Cell, taken: Taken): HTMLElement {
    const { trans } = this.context;
    const said: Record<Side, string> = {
      mine: trans.__('Mine was kept.'),
      theirs: trans.__('Theirs was kept.'),
      both: trans.__('Both were kept.')
    };
    const bar = this.bar('taken', trans.__('Settled conflict'));
    bar.append(words(said[taken.side]));
    bar.append(button(trans.__('Undo'), () => cell.model.sharedModel.setSource(taken.before)));
    return bar;
  }

  private bar(state: string, label: string): HTMLElement {
    const bar = document.createElement('div');
    bar.className = 'slipway-Conflict';
    bar.dataset.state = state;
    bar.setAttribute('role', 'group');
    bar.setAttribute('aria-label', label);
    return bar;
  }

  private take(cell: Cell, side: Side): void {
    const before = cell.model.sharedModel.source;
    const now = sides(before)?.[side];
    if (now === undefined) {
      return;
    }
    this.isMine = true;
    if (now) {
      this.taken.set(cell.model.id, { before, now, side });
      cell.model.sharedModel.setSource(now);
      return;
    }
    // That side had removed the cell.
    const { content } = this.panel;
    content.deselectAll();
    content.activeCellIndex = content.widgets.indexOf(cell);
    NotebookActions.deleteCells(content);
  }

  /** The last one was settled, unless that was taken back while an earlier save was under way. */
  private async done(): Promise<void> {
    const { trans } = this.context;
    const { context } = this.panel;
    if (this.left || this.panel.isDisposed) {
      return;
    }
    if (!(await isSaved(this.panel))) {
      // It stays open with what was settled.
      return;
    }
    const line = gitAdd(this.contents.localPath(context.path));
    Notification.dismiss(this.notice);
    this.notice = Notification.success(
      trans.__('All conflicts are settled, and saved. Now tell git: %1', line),
      {
        autoClose: 20_000,
        actions: [{ label: trans.__('Copy'), callback: () => void navigator.clipboard.writeText(line) }]
      }
    );
  }

  private left = 0;
  /** Whether what changed last was changed in this page, and not in another that shares the notebook. */
  private isFromHere = true;
  /** Whether it was this page that settled one. */
  private isMine = false;
  private notice = '';
  /** Whether git is to be told when the last one is settled. */
  private isOfGit = false;
  /** One after the other: what is saved while another save is written would be taken for what is on disk. */
  private saving = Promise.resolve();
  /** By the cell's id: a notebook that is read anew has other cells. */
  private readonly taken = new Map<string, Taken>();
}

function words(text: string): HTMLElement {
  const made = document.createElement('span');
  made.textContent = text;
  return made;
}

function button(label: string, act: () => void): HTMLElement {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = 'slipway-Button';
  made.textContent = label;
  // Who clicks goes on where the cursor was: Enter would press what comes in this button's place.
  made.addEventListener('mousedown', event => event.preventDefault());
  made.addEventListener('click', act);
  return made;
}
