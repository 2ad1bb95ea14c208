/** The team's clusters and who uses them, as last heard: what the section, the chips and the status bar show. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  asApiError,
  type AttachmentItem,
  type Changed,
  type Cluster,
  type Workers
} from '../api';
import type { Overview } from '../panel/model';
import { FreshPoll } from '../ui/poll';
import { isSettled } from './words';

/** Heals lost hints. */
const IDLE = 30_000;
/** While one of them becomes something else: of each step the server tells, too. */
const CHANGING = 3_000;
/** While one runs: its cost moves. Of its state and its workers the server tells. */
const RUNNING = 15_000;

export class Clusters implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly overview: Overview
  ) {
    this.poll = new FreshPoll('slipway:clusters', () => this.fetch(), { interval: IDLE, max: 120_000 });
    overview.hinted.connect(this.onHint, this);
    overview.changed.connect(this.onOverview, this);
  }

  /** Something below is not what it was. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** A cluster is idle and stops soon: told once for each time. */
  get draining(): ISignal<this, Cluster> {
    return this.drainingSignal;
  }

  /** null until the first answer. */
  items: readonly Cluster[] | null = null;
  attachments: readonly AttachmentItem[] = [];
  /** Why the last request failed; null when it did not. */
  error: ApiError | null = null;

  get live(): readonly Cluster[] {
    return (this.items ?? []).filter(({ state }) => state !== 'stopped' && state !== 'failed');
  }

  find(name: string): Cluster | undefined {
    return this.items?.find(cluster => cluster.name === name);
  }

  /** Whether this person may start, stop, scale and delete it. */
  isMine({ owner }: Cluster): boolean {
    const user = this.overview.status?.user;
    return !user || owner === user;
  }

  /** Whose kernels and runs use it, each once. */
  usersOf(name: string): string[] {
    return [...new Set(this.attachments.filter(one => one.cluster === name).map(one => one.person))].sort();
  }

  /** The name of the cluster that a kernel or run is attached to; '' for none. */
  clusterOf(holder: string | undefined): string {
    return this.attachments.find(one => one.holder === holder)?.cluster ?? '';
  }

  start(): void {
    void this.poll.start();
  }

  refresh(): Promise<void> {
    return this.poll.refresh();
  }

  /** What a request has answered: shown at once, and the rest is asked for. */
  async change(asked: Promise<Cluster>): Promise<Cluster> {
    const cluster = await asked;
    this.take(cluster);
    this.overview.announce({ kind: 'cluster', id: cluster.name });
    return cluster;
  }

  startCluster(name: string): Promise<Cluster> {
    return this.change(this.api.clusters.start(name));
  }

  stopCluster(name: string): Promise<Cluster> {
    return this.change(this.api.clusters.stop(name));
  }

  keep(name: string): Promise<Cluster> {
    return this.change(this.api.clusters.keep(name));
  }

  scale(name: string, workers: Workers): Promise<Cluster> {
    return this.change(this.api.clusters.scale(name, workers));
  }

  async remove(name: string): Promise<void> {
    await this.api.clusters.remove(name);
    this.items = this.items?.filter(cluster => cluster.name !== name) ?? null;
    this.changedSignal.emit();
    this.overview.announce({ kind: 'cluster', id: name });
  }

  /** Let a kernel use a cluster, which starts if it has to. */
  async attach(name: string, holder: string, path: string): Promise<void> {
    const { cluster } = await this.api.clusters.attach(name, holder, path);
    this.take(cluster);
    this.attached(holder, {
      holder,
      kind: 'kernel',
      cluster: name,
      person: this.overview.status?.user ?? ''
    });
  }

  /** A kernel is attached to a cluster from now on, or to none. */
  attached(holder: string, one: AttachmentItem | null): void {
    this.attachments = [...this.attachments.filter(other => other.holder !== holder), ...(one ? [one] : [])];
    this.changedSignal.emit();
    void this.refresh();
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private onHint(_: Overview, hint: Changed): void {
    if (hint.kind === 'cluster') {
      void this.poll.refresh();
    }
  }

  /** The server is there again: no need to wait until the next look. */
  private onOverview(overview: Overview): void {
    if (this.error && !overview.error) {
      void this.poll.refresh();
    }
  }

  private take(cluster: Cluster): void {
    const items = this.items ?? [];
    this.items = items.some(one => one.name === cluster.name)
      ? items.map(one => (one.name === cluster.name ? cluster : one))
      : [...items, cluster];
    this.changedSignal.emit();
  }

  private async fetch(): Promise<void> {
    try {
      const [clusters, attachments] = await Promise.all([
        this.api.clusters.list(),
        this.api.clusters.attachments()
      ]);
      this.items = clusters.items;
      this.attachments = attachments.items;
      this.error = null;
      this.pace();
      this.tellOfDraining();
    } catch (error) {
      this.error = asApiError(error);
      throw error;
    } finally {
      this.changedSignal.emit();
    }
  }

  private pace(): void {
    const items = this.items ?? [];
    const wanted = items.some(({ state }) => !isSettled(state))
      ? CHANGING
      : items.some(({ state }) => state === 'running')
        ? RUNNING
        : IDLE;
    if (this.poll.frequency.interval !== wanted) {
      this.poll.frequency = { ...this.poll.frequency, interval: wanted };
    }
  }

  private tellOfDraining(): void {
    const draining = (this.items ?? []).filter(({ state }) => state === 'draining');
    for (const cluster of draining) {
      if (!this.told.has(cluster.name)) {
        this.drainingSignal.emit(cluster);
      }
    }
    this.told = new Set(draining.map(({ name }) => name));
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly drainingSignal = new Signal<this, Cluster>(this);
  private told: ReadonlySet<string> = new Set();
}
