/** Which cluster the kernel of each open notebook computes on. The server gives the kernel what it needs for it. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { IChangedArgs } from '@jupyterlab/coreutils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents, Kernel, Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, ApiError, asApiError, type PackageComparison } from '../api';
import { packagesOf } from './kernel';
import type { Clusters } from './model';
import { isDown, isUp } from './words';

type KernelChange = IChangedArgs<Kernel.IKernelConnection | null, Kernel.IKernelConnection | null, 'kernel'>;

/** A kernel that is to use a cluster. */
interface Wish {
  kernel: Kernel.IKernelConnection;
  name: string;
  /** The notebook's, on the server. */
  path: string;
  /** Whether the server has agreed to start the cluster: if that ends now, it has failed. */
  agreed: boolean;
}

export class Attaching {
  constructor(
    private readonly api: Api,
    private readonly clusters: Clusters,
    private readonly contents: Contents.IManager,
    notebooks: INotebookTracker,
    private readonly trans: TranslationBundle
  ) {
    notebooks.forEach(panel => this.watch(panel));
    notebooks.widgetAdded.connect((_, panel) => this.watch(panel), this);
    clusters.changed.connect(this.onClusters, this);
  }

  /** A kernel was attached, detached, or compared. */
  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** Something failed behind the person's back: while the kernel restarted, or when the cluster came up. */
  get failed(): ISignal<this, ApiError> {
    return this.failedSignal;
  }

  /** A kernel's packages were compared for the first time since it was attached. */
  get compared(): ISignal<this, { cluster: string; comparison: PackageComparison }> {
    return this.comparedSignal;
  }

  /** The cluster of a notebook's kernel, or the one that it will have when that runs; '' for none. */
  of(panel: NotebookPanel): string {
    const kernel = kernelOf(panel);
    return kernel ? this.nameOf(kernel.id) : '';
  }

  /** Whether its kernel is just being given what it needs: what runs before computes elsewhere. */
  pending(panel: NotebookPanel): boolean {
    const id = kernelOf(panel)?.id ?? '';
    return this.lost.has(id) || this.giving.has(id);
  }

  /** How its packages differ from the cluster's; undefined while nobody knows. */
  comparison(panel: NotebookPanel): PackageComparison | undefined {
    const kernel = kernelOf(panel);
    return this.comparisons.get(kernel?.id ?? '');
  }

  /**
   * Let a notebook compute on a cluster: now, or as soon as it runs.
   *
   * Throws an `ApiError` when there is no kernel, or the server refuses.
   */
  async attach(panel: NotebookPanel, name: string): Promise<void> {
    const kernel = kernelOf(panel);
    if (!kernel) {
      const { trans } = this;
      throw new ApiError(
        409,
        'no-kernel',
        trans.__('This notebook has no kernel.'),
        trans.__('Choose one first.')
      );
    }
    if (![name, ''].includes(this.of(panel))) {
      await this.detach(panel);
    }
    const wish = { kernel, name, path: this.contents.localPath(panel.context.path), agreed: false };
    const state = (this.clusters.find(name) ?? (await this.api.clusters.get(name))).state;
    if (isUp(state)) {
      await this.give(wish);
    } else {
      this.wishes.set(kernel.id, wish);
      this.changedSignal.emit();
      try {
        await this.clusters.startCluster(name);
        wish.agreed = true;
      } catch (error) {
        this.wishes.delete(kernel.id);
        this.changedSignal.emit();
        throw error;
      }
    }
  }

  async detach(panel: NotebookPanel): Promise<void> {
    const kernel = kernelOf(panel);
    if (!kernel || this.wishes.delete(kernel.id)) {
      this.changedSignal.emit();
      return;
    }
    const name = this.of(panel);
    if (name) {
      await this.api.clusters.detach(name, kernel.id);
      this.forget(kernel.id);
    }
  }

  /** Compare a kernel's packages with those of its cluster anew. */
  async compare(panel: NotebookPanel): Promise<PackageComparison | null> {
    const kernel = kernelOf(panel);
    const name = this.of(panel);
    return kernel && name ? this.look(kernel, name) : null;
  }

  /** Give the workers the kernel's packages, as the plan with this digest has it. */
  async synchronise(panel: NotebookPanel, digest: string): Promise<PackageComparison | null> {
    const kernel = kernelOf(panel);
    const name = this.of(panel);
    if (!kernel || !name) {
      return null;
    }
    const packages = await packagesOf(kernel);
    return this.keep(kernel, await this.api.clusters.synchronise(name, packages, digest));
  }

  private watch(panel: NotebookPanel): void {
    const { sessionContext } = panel;
    const restarted = (_: ISessionContext, status: Kernel.Status) => this.onStatus(panel, status);
    const connected = (_: ISessionContext, status: Kernel.ConnectionStatus) =>
      this.onConnection(panel, status);
    const changed = (_: ISessionContext, change: Session.ISessionConnection.IKernelChangedArgs) =>
      void this.onKernel(panel, change);
    sessionContext.statusChanged.connect(restarted, this);
    sessionContext.kernelChanged.connect(changed, this);
    sessionContext.connectionStatusChanged.connect(connected, this);
  }

  /** A restarted kernel has lost its environment. */
  private onStatus(panel: NotebookPanel, status: Kernel.Status): void {
    const kernel = kernelOf(panel);
    if (kernel && this.of(panel) && (status === 'restarting' || status === 'autorestarting')) {
      this.lost.add(kernel.id);
      this.changedSignal.emit();
    }
  }

  /** Its page connects anew only when the new process is there; the old one is still busy and idle until it ends. */
  private onConnection(panel: NotebookPanel, status: Kernel.ConnectionStatus): void {
    const kernel = kernelOf(panel);
    if (kernel && status === 'connected' && this.lost.delete(kernel.id)) {
      this.again(panel, this.of(panel));
    }
  }

  /** Another kernel in the same notebook computes on the same cluster. */
  private async onKernel(panel: NotebookPanel, { oldValue, newValue }: KernelChange): Promise<void> {
    this.changedSignal.emit();
    const name = oldValue ? this.clusters.clusterOf(oldValue.id) : '';
    if (oldValue && newValue && name && oldValue.id !== newValue.id) {
      this.forget(oldValue.id);
      await this.api.clusters.detach(name, oldValue.id).catch(() => undefined);
      this.again(panel, name);
    }
  }

  private again(panel: NotebookPanel, name: string): void {
    const kernel = kernelOf(panel);
    if (kernel) {
      this.try({ kernel, name, path: this.contents.localPath(panel.context.path), agreed: true });
    }
  }

  private try(wish: Wish): void {
    const given = this.give(wish).catch(error => this.failedSignal.emit(asApiError(error)));
    this.given.set(wish.kernel, given);
  }

  /** 'Restart and Run All' sends its first cell as soon as this is done: that waits for the cluster. */
  private holdRestart(kernel: Kernel.IKernelConnection): void {
    if (this.held.has(kernel)) {
      return;
    }
    this.held.add(kernel);
    const restart = kernel.restart.bind(kernel);
    kernel.restart = async () => {
      await restart();
      await this.given.get(kernel);
    };
  }

  private async give({ kernel, name, path }: Wish): Promise<void> {
    this.holdRestart(kernel);
    this.giving.add(kernel.id);
    this.changedSignal.emit();
    try {
      await this.clusters.attach(name, kernel.id, path);
    } finally {
      this.giving.delete(kernel.id);
      this.changedSignal.emit();
    }
    this.fresh.add(kernel);
    this.changedSignal.emit();
    this.onClusters();
  }

  private onClusters(): void {
    this.fulfil();
    this.compareFresh();
  }

  /** Clusters that were waited for: they run now, or never will. */
  private fulfil(): void {
    for (const [holder, wish] of this.wishes) {
      const cluster = this.clusters.find(wish.name);
      if (cluster && isUp(cluster.state)) {
        this.wishes.delete(holder);
        this.try(wish);
      } else if (wish.kernel.isDisposed || !cluster || (wish.agreed && isDown(cluster.state))) {
        this.wishes.delete(holder);
        this.changedSignal.emit();
      }
    }
  }

  /** Packages can be compared once the cluster has workers to ask. */
  private compareFresh(): void {
    for (const kernel of this.fresh) {
      const name = this.clusters.clusterOf(kernel.id);
      const cluster = this.clusters.find(name);
      if (kernel.isDisposed || !cluster) {
        this.fresh.delete(kernel);
      } else if (isUp(cluster.state) && cluster.live_workers > 0) {
        this.fresh.delete(kernel);
        void this.look(kernel, name).then(
          comparison => this.comparedSignal.emit({ cluster: name, comparison }),
          () => undefined // A comparison that cannot be made bars nobody from working; the menu offers it again.
        );
      }
    }
  }

  private async look(kernel: Kernel.IKernelConnection, name: string): Promise<PackageComparison> {
    return this.keep(kernel, await this.api.clusters.packages(name, await packagesOf(kernel)));
  }

  private keep(kernel: Kernel.IKernelConnection, comparison: PackageComparison): PackageComparison {
    this.comparisons.set(kernel.id, comparison);
    this.changedSignal.emit();
    return comparison;
  }

  private nameOf(holder: string): string {
    return this.wishes.get(holder)?.name ?? this.clusters.clusterOf(holder);
  }

  private forget(holder: string): void {
    this.comparisons.delete(holder);
    this.clusters.attached(holder, null);
    this.changedSignal.emit();
  }

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly failedSignal = new Signal<this, ApiError>(this);
  private readonly comparedSignal = new Signal<this, { cluster: string; comparison: PackageComparison }>(
    this
  );
  /** Kernels that get their cluster as soon as it runs. */
  private readonly wishes = new Map<string, Wish>();
  /** Kernels that lost their environment and have not answered since. */
  private readonly lost = new Set<string>();
  /** Kernels that the server is just preparing. */
  private readonly giving = new Set<string>();
  /** When a kernel has what it was last given behind the person's back. */
  private readonly given = new WeakMap<Kernel.IKernelConnection, Promise<unknown>>();
  /** Kernels whose restart waits for that. */
  private readonly held = new WeakSet<Kernel.IKernelConnection>();
  /** Kernels whose packages are not compared yet. */
  private readonly fresh = new Set<Kernel.IKernelConnection>();
  private readonly comparisons = new Map<string, PackageComparison>();
}

export function kernelOf(panel: NotebookPanel): Kernel.IKernelConnection | null {
  return panel.sessionContext.session?.kernel ?? null;
}
