/** Keeps uncommitted work every few minutes, and marks cells that a colleague who shares has changed. */
import type { Cell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents, Event } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';

import type { Changed, RadarView, Seen } from '../api';
import { comparing } from '../api/compare';
import { CommandIDs } from '../tokens';
import type { Context } from '../ui/context';
import { putAtTop } from './atTop';
import { SESSIONS } from './rooms';

import '../../style/compare.css';

/** Milliseconds between two looks at what was saved since. */
const EVERY = 5 * 60_000;
/** Milliseconds between two looks at what colleagues do, while the notebook is seen and shared. */
const RADAR = 30_000;
const CHIP = 'slipway-sharing';

export class Keeping {
  constructor(
    private readonly context: Context,
    private readonly notebooks: INotebookTracker,
    private readonly contents: Contents.IManager,
    private readonly events: Event.Stream
  ) {}

  start(): void {
    this.notebooks.widgetAdded.connect((_, panel) => this.watch(panel));
    this.notebooks.forEach(panel => this.watch(panel));
    this.context.overview.hinted.connect((_, hint: Changed) => {
      if (hint.kind === 'notebook' && this.views.has(hint.id)) {
        void this.fetch(hint.id);
      }
    });
    // The server saves what is shared by itself; a page's own context does not hear of it.
    this.events.connect((_, event) => {
      const path = String(event.path ?? '');
      if (event.schema_id === SESSIONS && event.action === 'save' && this.panels(path).length) {
        this.saved.add(path);
      }
    });
    window.setInterval(() => void this.keep(), EVERY);
    window.setInterval(() => void this.keepShared().then(() => this.look()), RADAR);
  }

  shares(path: string): boolean {
    return (this.views.get(path)?.sharing ?? 'off') !== 'off';
  }

  /** Switches the sharing of one notebook on, or off with all its repository. */
  async toggle(path: string): Promise<void> {
    const now = this.views.get(path);
    const to = this.shares(path) ? 'off' : 'notebook';
    const remote = now?.remote || (now?.remotes.includes('origin') ? 'origin' : '');
    this.show(path, await comparing(this.context.api).share(path, to, remote));
    this.context.overview.announce({ kind: 'notebook', id: path });
  }

  private watch(panel: NotebookPanel): void {
    const path = () => this.contents.localPath(panel.context.path);
    panel.context.saveState.connect((_, state) => {
      if (state === 'completed') {
        this.saved.add(path());
        void this.keepShared();
      }
    });
    void panel.context.ready.then(() => this.fetch(path()));
  }

  private keepShared(): Promise<void> {
    return this.keep([...this.saved].filter(path => this.shares(path)));
  }

  private async keep(paths = [...this.saved]): Promise<void> {
    paths.forEach(path => this.saved.delete(path));
    // Outside of git there is nothing to keep it in: that is no fault to speak of.
    await Promise.allSettled(paths.map(path => comparing(this.context.api).snapshot(path)));
    await Promise.all(paths.filter(path => this.shares(path)).map(path => this.fetch(path)));
  }

  private async look(): Promise<void> {
    const panel = this.notebooks.currentWidget;
    const path = panel ? this.contents.localPath(panel.context.path) : '';
    if (panel?.isVisible && !document.hidden && this.shares(path)) {
      await this.fetch(path);
    }
  }

  private async fetch(path: string): Promise<void> {
    const view = await comparing(this.context.api)
      .radar(path)
      .catch(() => null);
    if (view) {
      this.show(path, view);
    }
  }

  private show(path: string, view: RadarView): void {
    this.views.set(path, view);
    this.context.commands.notifyCommandChanged(CommandIDs.shareNotebook);
    for (const panel of this.panels(path)) {
      this.chip(panel, path, view);
      panel.content.widgets.forEach((cell, index) => this.mark(cell, path, notesOn(view.seen, index)));
    }
  }

  private panels(path: string): NotebookPanel[] {
    return this.notebooks.filter(panel => this.contents.localPath(panel.context.path) === path);
  }

  /** In the toolbar as long as something is shared: nobody shares without seeing it. */
  private chip(panel: NotebookPanel, path: string, view: RadarView): void {
    const { commands, trans } = this.context;
    const shown = this.chips.get(panel);
    if (view.sharing === 'off') {
      shown?.dispose();
      this.chips.delete(panel);
      return;
    }
    const chip = shown ?? new Widget();
    chip.addClass('slipway-SharingPlace');
    const people = new Set(view.seen.map(one => one.who)).size;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'slipway-SharingChip';
    button.title = trans.__(
      'Your uncommitted work on this notebook is shared. Open to see with whom, or to end it.'
    );
    button.textContent = people
      ? trans._n('Sharing · %1 colleague', 'Sharing · %1 colleagues', people)
      : trans.__('Sharing');
    button.addEventListener(
      'click',
      () => void commands.execute(CommandIDs.notebookHistory, { path, tab: 'colleagues' })
    );
    chip.node.replaceChildren(button);
    if (!shown) {
      this.chips.set(panel, chip);
      panel.disposed.connect(() => this.chips.delete(panel));
      // What stands further to the end is hidden where the window is narrow.
      if (!panel.toolbar.insertBefore('cut', CHIP, chip)) {
        panel.toolbar.insertItem(0, CHIP, chip);
      }
    }
  }

  private mark(cell: Cell, path: string, notes: readonly Seen[]): void {
    const { commands, trans } = this.context;
    cell.node.classList.toggle('slipway-Radar', notes.length > 0);
    cell.node.classList.toggle(
      'slipway-mod-both',
      notes.some(one => one.both)
    );
    cell.node.querySelector(':scope > .slipway-Radar-note')?.remove();
    if (!notes.length) {
      return;
    }
    const note = document.createElement('div');
    note.className = 'slipway-Radar-note';
    note.setAttribute('role', 'note');
    const said = document.createElement('span');
    said.textContent = notes.map(one => this.words(one)).join(' · ');
    note.append(said);
    for (const who of new Set(notes.map(one => one.who))) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'slipway-Button';
      button.dataset.kind = 'link';
      button.textContent = trans.__('Compare with %1', who);
      button.addEventListener(
        'click',
        () => void commands.execute(CommandIDs.compareNotebook, { path, base: '', other: `@${who}` })
      );
      note.append(button);
    }
    putAtTop(cell, note);
  }

  private words({ what, who, both, index }: Seen): string {
    const { trans } = this.context;
    if (index === null) {
      return trans.__('%1 added a cell after this one', who);
    }
    if (what === 'removed') {
      return both
        ? trans.__('%1 removed this cell, which you changed', who)
        : trans.__('%1 removed this cell', who);
    }
    return both ? trans.__('%1 changed this cell, as you did', who) : trans.__('%1 changed this cell', who);
  }

  private readonly views = new Map<string, RadarView>();
  private readonly saved = new Set<string>();
  private readonly chips = new Map<NotebookPanel, Widget>();
}

/** What is told at a cell: what was changed of it, and what was added after it. */
function notesOn(seen: readonly Seen[], index: number): readonly Seen[] {
  return seen.filter(one => (one.index ?? one.after ?? 0) === index);
}
