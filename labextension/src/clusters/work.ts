/** How far the cluster's work for a notebook's running cell has come. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Api, Progress } from '../api';
import { type Attaching, kernelOf } from './attaching';
import { RunningCell } from './running';
import { askEvery } from '../ui/poll';

/** Until the server says how often it wants to be asked: the more pages ask, the less each. */
const INTERVAL = 1_000;

/** Asks about once a second, and only while a cell of an attached notebook runs. */
export class NotebookWork implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly attaching: Attaching,
    private readonly panel: NotebookPanel
  ) {
    this.poll = new Poll({
      auto: false,
      name: 'slipway:progress',
      factory: () => this.fetch(),
      frequency: { interval: INTERVAL, backoff: true, max: 10_000 },
      standby: 'when-hidden'
    });
    panel.sessionContext.kernelChanged.connect(this.onKernel, this);
    attaching.changed.connect(this.pace, this);
    this.onKernel();
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** null: nothing of it is on the cluster. */
  progress: Progress | null = null;
  cancelling = false;

  /** The cell that runs; '' when none does. */
  get cell(): string {
    return this.running?.cell ?? '';
  }

  /** Stop the running cell's work on the cluster; what cannot be stopped, in words. */
  async cancel(): Promise<string> {
    const kernel = kernelOf(this.panel);
    const cluster = this.attaching.of(this.panel);
    if (!kernel || !cluster || !this.cell) {
      return '';
    }
    this.cancelling = true;
    this.changedSignal.emit();
    try {
      return (await this.api.clusters.cancel(cluster, kernel.id, this.cell)).remaining;
    } finally {
      this.cancelling = false;
      this.changedSignal.emit();
    }
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this.poll.dispose();
    this.running?.dispose();
    this.panel.sessionContext.kernelChanged.disconnect(this.onKernel, this);
    this.attaching.changed.disconnect(this.pace, this);
    Signal.clearData(this);
  }

  private onKernel(): void {
    const kernel = kernelOf(this.panel);
    if (kernel !== this.kernel) {
      this.kernel = kernel;
      this.running?.dispose();
      this.running = kernel ? new RunningCell(kernel) : null;
      this.running?.changed.connect(this.onCell, this);
      this.onCell();
    }
  }

  private onCell(): void {
    this.progress = null;
    this.changedSignal.emit();
    this.pace();
  }

  private pace(): void {
    const wanted = this.cell !== '' && this.attaching.of(this.panel) !== '';
    if (wanted !== this.polls && !this.isDisposed) {
      this.polls = wanted;
      void (wanted ? this.poll.start() : this.poll.stop());
    }
  }

  private async fetch(): Promise<void> {
    const { cell, kernel } = this;
    const cluster = this.attaching.of(this.panel);
    if (!cell || !kernel || !cluster) {
      return;
    }
    const { progress, again } = await this.api.clusters.progress(cluster, kernel.id, cell);
    askEvery(this.poll, again);
    if (cell === this.cell) {
      this.progress = progress;
      this.changedSignal.emit();
    }
  }

  private readonly poll: Poll;
  private readonly changedSignal = new Signal<this, void>(this);
  private kernel: Kernel.IKernelConnection | null = null;
  private running: RunningCell | null = null;
  private polls = false;
}
