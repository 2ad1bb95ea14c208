/** Keeps uncommitted work every few minutes, and marks cells that a colleague who shares has changed. */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { RadarView, Seen } from '../api';
import { CommandIDs } from '../tokens';
import type { Context } from '../ui/context';

import '../../style/compare.css';

/** Milliseconds between two looks at what was saved since. */
const EVERY = 5 * 60_000;
/** Milliseconds between two looks at what colleagues do, while the notebook is seen and shared. */
const RADAR = 30_000;

export class Keeping {
  constructor(
    private readonly context: Context,
    private readonly notebooks: INotebookTracker,
    private readonly contents: Contents.IManager
  ) {
    notebooks.widgetAdded.connect((_, panel) => this.watch(panel));
    notebooks.forEach(panel => this.watch(panel));
    window.setInterval(() => void this.keep(), EVERY);
    window.setInterval(() => void this.look(), RADAR);
  }

  shares(path: string): boolean {
    return (this.views.get(path)?.sharing ?? 'off') !== 'off';
  }

  /** Switches the sharing of one notebook on, or off with all its repository. */
  async toggle(path: string): Promise<void> {
    const now = this.views.get(path);
    const to = this.shares(path) ? 'off' : 'notebook';
    const remote = now?.remote || (now?.remotes.includes('origin') ? 'origin' : '');
    this.show(path, await this.context.api.compare.share(path, to, remote));
  }

  private watch(panel: NotebookPanel): void {
    const path = () => this.contents.localPath(panel.context.path);
    panel.context.saveState.connect((_, state) => {
      if (state === 'completed') {
        this.saved.add(path());
        if (this.shares(path())) {
          void this.keep();
        }
      }
    });
    void panel.context.ready.then(() => this.fetch(path()));
  }

  private async keep(): Promise<void> {
    const paths = [...this.saved];
    this.saved.clear();
    // Outside of git there is nothing to keep it in: that is no fault to speak of.
    await Promise.allSettled(paths.map(path => this.context.api.compare.snapshot(path)));
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
    const view = await this.context.api.compare.radar(path).catch(() => null);
    if (view) {
      this.show(path, view);
    }
  }

  private show(path: string, view: RadarView): void {
    this.views.set(path, view);
    this.context.commands.notifyCommandChanged(CommandIDs.shareNotebook);
    this.notebooks
      .filter(panel => this.contents.localPath(panel.context.path) === path)
      .forEach(panel => this.mark(panel, view.seen));
  }

  private mark(panel: NotebookPanel, seen: readonly Seen[]): void {
    const { trans } = this.context;
    panel.content.widgets.forEach((cell, index) => {
      const others = seen.filter(one => one.index === index);
      cell.node.classList.toggle('slipway-Radar', others.length > 0);
      cell.node.classList.toggle(
        'slipway-mod-both',
        others.some(one => one.both)
      );
      cell.node.querySelector('.slipway-Radar-note')?.remove();
      if (others.length) {
        const note = document.createElement('div');
        note.className = 'slipway-Radar-note';
        note.setAttribute('role', 'note');
        note.textContent = others
          .map(one =>
            one.both
              ? trans.__('%1 changed this cell too, and has not committed it', one.who)
              : trans.__('%1 changed this cell, and has not committed it', one.who)
          )
          .join(' · ');
        cell.node.prepend(note);
      }
    });
  }

  private readonly views = new Map<string, RadarView>();
  private readonly saved = new Set<string>();
}
