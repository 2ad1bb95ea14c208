/** The badges of published cells: which job and version, and whether the code has changed since. */
import { UseSignal } from '@jupyterlab/ui-components';
import type { Cell } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { Signal } from '@lumino/signaling';
import { Menu, Panel } from '@lumino/widgets';
import * as React from 'react';

import type { Badge } from '../api';
import { CommandIDs } from '../tokens';
import { TextDiff } from '../ui/code';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import '../../style/parts.css';
import '../../style/badges.css';
import { codeCells } from './request';

/** After the last edit. */
const DELAY = 150;

/** Keeps a set of badges for every open notebook. */
export class Badges {
  constructor(
    private readonly context: Context,
    notebooks: INotebookTracker,
    private readonly contents: Contents.IManager
  ) {
    notebooks.forEach(panel => this.add(panel));
    notebooks.widgetAdded.connect((_, panel) => this.add(panel), this);
  }

  private add(panel: NotebookPanel): void {
    const badges = new NotebookBadges(this.context, panel, this.contents);
    panel.disposed.connect(() => badges.dispose(), badges);
  }
}

class NotebookBadges implements IDisposable {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel,
    private readonly contents: Contents.IManager
  ) {
    void panel.context.ready.then(() => {
      if (!this.isDisposed) {
        // The shared notebook says nothing of what is typed into its cells; the model does.
        panel.context.model.contentChanged.connect(this.later, this);
        panel.content.modelChanged.connect(this.later, this);
        context.overview.changed.connect(this.onJobs, this);
        this.onJobs();
      }
    });
  }

  get isDisposed(): boolean {
    return this.looking.isDisposed;
  }

  dispose(): void {
    this.looking.dispose();
    Signal.clearData(this);
    this.shown.forEach(badge => badge.dispose());
    this.shown.clear();
  }

  /** Ask again only when a job of this notebook is not what it was. */
  private onJobs(): void {
    const jobs = this.jobs().map(job => `${job.name} ${job.latest} ${job.cell}`);
    const known = jobs.join('\n');
    if (known !== this.known) {
      this.known = known;
      this.asked = '';
      this.later();
    }
  }

  private jobs() {
    const { overview } = this.context;
    return (overview.jobs ?? []).filter(job => overview.pathOf(job.notebook) === this.path);
  }

  private get path(): string {
    return this.contents.localPath(this.panel.context.path);
  }

  private later(): void {
    if (this.known) {
      void this.looking.invoke().catch(() => undefined);
    }
  }

  /** One question at a time: an answer that takes long must neither queue others behind it nor come after them. */
  private async look(): Promise<void> {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    do {
      this.again = false;
      await this.ask();
    } while (this.again && !this.isDisposed);
    this.busy = false;
  }

  private async ask(): Promise<void> {
    const cells = codeCells(this.panel);
    const asking = JSON.stringify(cells);
    // Outputs and counts change the document, too.
    if (asking === this.asked) {
      return;
    }
    try {
      const { items } = await this.context.api.publish.badges(this.path, cells);
      this.asked = asking;
      if (!this.isDisposed) {
        this.draw(items);
      }
    } catch {
      // The panel says when the server is away; the badges stay as last known.
    }
  }

  private draw(badges: readonly Badge[]): void {
    const wanted = new Map<string, Badge[]>();
    for (const badge of badges) {
      wanted.set(badge.cell, [...(wanted.get(badge.cell) ?? []), badge]);
    }
    for (const [cell, view] of this.shown) {
      if (!wanted.has(cell) || view.isDisposed) {
        view.dispose();
        this.shown.delete(cell);
      }
    }
    for (const cell of this.panel.content.widgets) {
      const found = wanted.get(cell.model.id);
      const view = this.shown.get(cell.model.id);
      if (found && view) {
        view.tell(found);
      } else if (found) {
        this.attach(cell, found);
      }
    }
  }

  private attach(cell: Cell, badges: readonly Badge[]): void {
    const view = new BadgeView(this.context, badges, this.panel);
    this.shown.set(cell.model.id, view);
    // A cell that was never scrolled to has no children yet.
    void cell.ready.then(() => {
      const host = inputWrapper(cell);
      if (host && !view.isDisposed) {
        host.addWidget(view);
      }
    });
  }

  private readonly looking = new Debouncer(() => this.look(), DELAY);
  private readonly shown = new Map<string, BadgeView>();
  private known = '';
  private asked = '';
  private busy = false;
  private again = false;
}

function inputWrapper(cell: Cell): Panel | undefined {
  for (const child of cell.children()) {
    if (child instanceof Panel && child.hasClass('jp-Cell-inputWrapper')) {
      return child;
    }
  }
  return undefined;
}

/** The badges of one cell: one for each job that was published from it. */
export class BadgeView extends SlipwayWidget {
  constructor(context: Context, badges: readonly Badge[], panel: NotebookPanel) {
    // Kept here, not in what is drawn: that begins anew when its cell was scrolled out of sight and back.
    const told = { badges };
    const changed = new Signal<unknown, void>(told);
    super(context, () => (
      <UseSignal signal={changed}>
        {() => (
          <>
            {told.badges.map(badge => (
              <BadgeButton key={badge.job} badge={badge} panel={panel} />
            ))}
          </>
        )}
      </UseSignal>
    ));
    this.told = told;
    this.changed = changed;
    this.addClass('slipway-BadgeHost');
  }

  tell(badges: readonly Badge[]): void {
    this.told.badges = badges;
    this.changed.emit();
  }

  private readonly told: { badges: readonly Badge[] };
  private readonly changed: Signal<unknown, void>;
}

function BadgeButton({ badge, panel }: { badge: Badge; panel: NotebookPanel }): JSX.Element {
  const { trans, commands } = useContext();
  const [peek, setPeek] = React.useState(false);
  const button = React.useRef<HTMLButtonElement>(null);
  const open = () => {
    const menu = new Menu({ commands });
    const { job } = badge;
    menu.addItem({ command: CommandIDs.openJob, args: { job, tab: 'runs', label: trans.__('Runs') } });
    menu.addItem({ command: CommandIDs.compare, args: { job, label: trans.__('Compare') } });
    menu.addItem({ command: CommandIDs.publish, args: { job, label: trans.__('Publish Again…') } });
    const index = panel.content.widgets.findIndex(cell => cell.model.id === badge.cell);
    if (index >= 0) {
      panel.content.activeCellIndex = index;
    }
    setPeek(false);
    const { left, bottom } = button.current!.getBoundingClientRect();
    menu.open(left, bottom + 2);
  };
  const words = badge.changed
    ? trans.__('Published as %1, version %2. The code has changed since.', badge.job, badge.version)
    : trans.__('Published as %1, version %2. The code is the same.', badge.job, badge.version);
  const peeking = peek && badge.changed && badge.diff !== '';
  return (
    <span
      className="slipway-BadgeArea"
      onMouseEnter={() => setPeek(true)}
      onMouseLeave={() => setPeek(false)}
      onFocus={() => setPeek(true)}
      onBlur={() => setPeek(false)}
      onKeyDown={event => event.key === 'Escape' && setPeek(false)}
    >
      <button
        ref={button}
        type="button"
        className="slipway-Badge"
        data-changed={badge.changed}
        aria-haspopup="menu"
        aria-label={words}
        title={peeking ? undefined : words}
        onClick={open}
      >
        {`${badge.job} v${badge.version}${badge.changed ? ' *' : ''}`}
      </button>
      {peeking && (
        <div className="slipway-Peek" role="tooltip">
          <TextDiff text={badge.diff} label={trans.__('What has changed')} />
        </div>
      )}
    </span>
  );
}
