/** The jobs, runs and server as last heard: what the panel, the status bar and the badges show. */
import type { Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, type ApiError, asApiError, type Changed, type Job, type Run, type Status } from '../api';
import { CHANGED } from '../tokens';
import { FreshPoll } from '../ui/poll';
import { isLive } from '../ui/words';

/** How many of the last runs the panel knows. */
const RUNS = 30;
/** Heals lost hints. */
const IDLE = 30_000;
/** While a run lives and the panel is seen. */
const LIVE = 1_000;
/** While a run lives and only the status bar shows it. */
const LIVE_UNSEEN = 5_000;
/** What changes here when one of them does; the others are asked for by who shows them. */
const SHOWN = new Set<Changed['kind']>(['job', 'run', 'schedule']);

export class Overview implements IDisposable {
  constructor(
    private readonly api: Api,
    events?: Event.IManager
  ) {
    this.poll = new FreshPoll('slipway:overview', () => this.fetch(), { interval: IDLE, max: 120_000 });
    events?.stream.connect(this.onEvent, this);
  }

  /** Something below is not what it was. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** A hint came from the server, or something was changed from here: pages fetch theirs again. */
  get hinted(): ISignal<this, Changed> {
    return this.hintedSignal;
  }

  /** null until the first answer; the same holds for the others. */
  jobs: readonly Job[] | null = null;
  runs: readonly Run[] | null = null;
  status: Status | null = null;
  /** Why the last request failed; null when it did not. */
  error: ApiError | null = null;
  /** When the server last answered. */
  asOf: Date | null = null;

  get live(): readonly Run[] {
    return (this.runs ?? []).filter(run => isLive(run.state));
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  /** Whether somebody looks: how often to ask depends on it. */
  set seen(value: boolean) {
    this.isSeen = value;
    if (value) {
      void this.poll.refresh();
    }
  }

  start(): void {
    void this.poll.start();
  }

  refresh(): Promise<void> {
    this.jobsStale = true;
    return this.poll.refresh();
  }

  /** Tell all views, without waiting for the server's hint. */
  announce(change: Changed): void {
    this.hintedSignal.emit(change);
    if (SHOWN.has(change.kind)) {
      void this.refresh();
    }
  }

  /** The path by which JupyterLab opens a notebook that the server names absolutely; null when it lies elsewhere. */
  pathOf(notebook: string): string | null {
    const root = this.status?.root.replace(/\/+$/, '');
    if (!notebook.startsWith('/')) {
      return notebook;
    }
    return root !== undefined && notebook.startsWith(`${root}/`) ? notebook.slice(root.length + 1) : null;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.poll.dispose();
    Signal.clearData(this);
  }

  private onEvent(_: Event.IManager['stream'] | Event.IManager, event: Event.Emission): void {
    if (event.schema_id === CHANGED) {
      this.announce({ kind: event.kind as Changed['kind'], id: String(event.id) });
    }
  }

  private async fetch(): Promise<void> {
    const wanted = this.jobsStale || Date.now() - this.jobsAt >= IDLE - 1_000;
    this.jobsStale = false;
    try {
      const [status, jobs, runs] = await Promise.all([
        wanted ? this.api.status() : null,
        wanted ? this.api.jobs.list() : null,
        this.api.runs.list({ limit: RUNS })
      ]);
      this.status = status ?? this.status;
      if (jobs) {
        this.jobs = jobs.items;
        this.jobsAt = Date.now();
      }
      this.take(runs.items);
      this.error = null;
      this.asOf = new Date();
    } catch (error) {
      this.error = asApiError(error);
      this.jobsStale = true;
      throw error;
    } finally {
      this.changedSignal.emit();
    }
  }

  /** A run that has ended since changes its job's strip and state, too. */
  private take(runs: Run[]): void {
    const before = new Set(this.live.map(run => run.id));
    this.runs = runs;
    const live = this.live;
    if (runs.some(run => before.has(run.id) && !isLive(run.state))) {
      this.jobsStale = true;
    }
    const wanted = this.jobsStale ? LIVE : !live.length ? IDLE : this.isSeen ? LIVE : LIVE_UNSEEN;
    if (this.poll.frequency.interval !== wanted) {
      this.poll.frequency = { ...this.poll.frequency, interval: wanted };
    }
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly hintedSignal = new Signal<this, Changed>(this);
  private jobsStale = true;
  private jobsAt = 0;
  private isSeen = false;
}
