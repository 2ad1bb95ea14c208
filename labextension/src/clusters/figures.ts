/** The figures of clusters that run, as they come: asked for only while somebody looks. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Api, Figures } from '../api';
import { askEvery, FreshPoll } from '../ui/poll';

/** Until the server says how often it wants to be asked: the more pages ask, the less each. */
const INTERVAL = 2_000;
/** How many figures a sparkline shows: two minutes. */
const KEPT = 60;

export class LiveFigures implements IDisposable {
  constructor(private readonly api: Api) {
    this.poll = new FreshPoll('slipway:figures', () => this.fetch(), { interval: INTERVAL, max: 30_000 });
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** Oldest first. */
  of(cluster: string): readonly Figures[] {
    return this.series.get(cluster) ?? [];
  }

  /** Whether the place where they are shown is seen. */
  set seen(seen: boolean) {
    this.isSeen = seen;
    this.pace();
  }

  /** Ask for a cluster's figures until the answer is disposed. */
  watch(cluster: string): IDisposable {
    this.watched.add(cluster);
    this.pace();
    return new DisposableDelegate(() => {
      this.watched.delete(cluster);
      this.series.delete(cluster);
      this.pace();
    });
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private pace(): void {
    if (this.isDisposed) {
      return;
    }
    const wanted = this.isSeen && this.watched.size > 0;
    if (wanted !== this.runs) {
      this.runs = wanted;
      void (wanted ? this.poll.start() : this.poll.stop());
    }
  }

  private async fetch(): Promise<void> {
    const paces = await Promise.all([...this.watched].map(cluster => this.look(cluster)));
    askEvery(this.poll, Math.max(...paces));
    this.changedSignal.emit();
  }

  /** Seconds after which to look again. */
  private async look(cluster: string): Promise<number> {
    try {
      const figures = await this.api.clusters.figures(cluster);
      if (this.watched.has(cluster)) {
        this.series.set(cluster, [...this.of(cluster), figures].slice(-KEPT));
      }
      return figures.again;
    } catch {
      // One that has just stopped has none; the list of clusters says what became of it.
      return INTERVAL / 1_000;
    }
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly watched = new Set<string>();
  private readonly series = new Map<string, readonly Figures[]>();
  private isSeen = false;
  private runs = false;
}
