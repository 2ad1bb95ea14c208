/** One shared kernel as last heard: who is here, whose turn it is, and the last execution of each cell. */
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  asApiError,
  type Changed,
  type Execution,
  type SharedKernel,
  type Waiting
} from '../api';
import type { Overview } from '../panel/model';
import { FreshPoll } from '../ui/poll';

/** Heals lost hints. */
const IDLE = 30_000;
/** While cells wait, or nothing is heard of it: positions and estimates change. */
const BUSY = 2_000;
/** While a cell runs and none waits: of its end the kernel tells, too. */
const RUNS = 5_000;
/** After failures. */
const LONGEST = 120_000;
/** While the connection is lost: to be back as soon as the server is. */
const LOST = 3_000;
/** A connection that breaks for less is not worth a word. */
const GRACE = 3_000;
/** How long JupyterLab may take to connect before it is asked again. */
const CONNECTS = 20_000;
/** Messages by which a person does something. */
const WISHED = new Set<string>(['execute_request', 'comm_msg', 'input_reply']);
/** How many executions are known. */
const KNOWN = 200;

export class LiveKernel implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly overview: Overview,
    readonly connection: Kernel.IKernelConnection
  ) {
    this.poll = new FreshPoll(`slipway:kernel-${connection.id}`, () => this.fetch(), {
      interval: IDLE,
      max: LONGEST
    });
    connection.iopubMessage.connect(this.onMessage, this);
    connection.connectionStatusChanged.connect(this.onConnection, this);
    overview.hinted.connect(this.onHint, this);
    this.connected = connection.connectionStatus === 'connected';
    void this.poll.start();
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** Why something was refused, in words. */
  get refused(): ISignal<this, string> {
    return this.refusedSignal;
  }

  /** null before the first answer, and for a kernel that has no host: nobody shares such a one. */
  kernel: SharedKernel | null = null;
  /** Newest first. */
  executions: readonly Execution[] = [];
  /** Whether the server has answered once. */
  known = false;
  error: ApiError | null = null;
  /** Since when this page's connection to the kernel is lost; null while it holds. */
  lostSince: Date | null = null;

  /** Whoever looks at this page. */
  get me(): string {
    return this.overview.status?.user ?? '';
  }

  /** Since when nothing is heard of the kernel, for whatever reason; null while it answers. */
  get silentSince(): Date | null {
    const since = this.kernel?.silent_since;
    return this.lostSince ?? (since ? new Date(since) : null);
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  /** A cell's last execution; undefined when none is known. */
  last(cell: string): Execution | undefined {
    return this.lasts.get(cell);
  }

  waiting(execution: string): Waiting | undefined {
    return this.kernel?.queue.find(one => one.execution === execution);
  }

  refresh(): Promise<void> {
    this.stale = true;
    return this.poll.refresh();
  }

  /** As `refresh`, but done only when there is an answer, and never one to a question from before. */
  async ask(): Promise<void> {
    await this.fetch(true).catch(() => undefined); // what was known before stays, with the error
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    clearTimeout(this.losing);
    this.connection.iopubMessage.disconnect(this.onMessage, this);
    this.connection.connectionStatusChanged.disconnect(this.onConnection, this);
    this.overview.hinted.disconnect(this.onHint, this);
    this.poll.dispose();
    Signal.clearData(this);
  }

  private onHint(_: Overview, change: Changed): void {
    if (change.kind === 'kernel' && change.id === this.connection.id) {
      void this.refresh();
    }
  }

  private onConnection(_: Kernel.IKernelConnection, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      clearTimeout(this.losing);
      this.losing = undefined;
      this.connected = true;
      this.lostSince = null;
      this.changedSignal.emit();
      void this.refresh();
    } else if (this.connected && this.losing === undefined) {
      const since = new Date();
      this.losing = setTimeout(() => {
        this.lostSince = since;
        this.pace();
        this.changedSignal.emit();
      }, GRACE);
    }
  }

  /** The server answers again: JupyterLab, which waits longer from try to try and gives up in the end, need not wait. */
  private comeBack(): void {
    const now = Date.now();
    if (this.lostSince && this.connection.connectionStatus !== 'connected' && now > this.again) {
      this.again = now + CONNECTS;
      this.connection.reconnect().catch(() => undefined); // it is tried again
    }
  }

  private onMessage(_: Kernel.IKernelConnection, message: KernelMessage.IIOPubMessage): void {
    const type: string = message.header.msg_type;
    const parent = message.parent_header as Partial<KernelMessage.IHeader> & { cell_id?: string };
    if (type === 'slipway_refused') {
      // What JupyterLab asks by itself, a debugger or a history, nobody has wished for.
      if (WISHED.has(parent.msg_type ?? 'execute_request')) {
        this.refusedSignal.emit(String((message.content as { why?: string }).why ?? ''));
      }
    } else if (type === 'execute_input' && parent.cell_id && parent.msg_id) {
      this.began(parent, message as KernelMessage.IExecuteInputMsg);
    } else if (type === 'status' && parent.msg_type === 'execute_request') {
      const { execution_state: state } = (message as KernelMessage.IStatusMsg).content;
      if (state === 'idle') {
        void this.refresh();
      }
    }
  }

  /** Shown before the server's table knows of it. */
  private began(
    parent: Partial<KernelMessage.IHeader> & { cell_id?: string },
    { content, header }: KernelMessage.IExecuteInputMsg
  ): void {
    const id = parent.msg_id!;
    const known = this.executions.find(one => one.id === id);
    const now = header.date;
    const fresh: Execution = {
      kernel: this.connection.id,
      person: parent.username ?? '',
      cell: parent.cell_id!,
      code: content.code,
      queued_at: now,
      generation: this.kernel?.generation ?? 1,
      first: 0,
      last: 0,
      reason: '',
      ...known,
      id,
      count: content.execution_count,
      status: 'running',
      started_at: known?.started_at ?? now,
      ended_at: null
    };
    this.take([fresh, ...this.executions.filter(one => one.id !== id)]);
    this.pace(RUNS);
    this.changedSignal.emit();
    void this.refresh();
  }

  /** What was run is the larger part, and changes only with the queue, of which the server and the kernel tell. */
  private async fetch(wanted = this.stale || Date.now() - this.ranAt >= IDLE - 1_000): Promise<void> {
    const { id } = this.connection;
    this.stale = false;
    try {
      const [kernel, ran] = await Promise.all([
        this.api.kernels.get(id),
        wanted ? this.api.kernels.executions(id, { limit: KNOWN }) : null
      ]);
      const moved = order(kernel) !== order(this.kernel);
      this.kernel = kernel;
      if (ran || moved) {
        const { items } = ran ?? (await this.api.kernels.executions(id, { limit: KNOWN }));
        this.take(items);
        this.ranAt = Date.now();
      }
      this.error = null;
      this.comeBack();
    } catch (error) {
      this.stale = true;
      this.error = asApiError(error);
      if (this.error.status === 404) {
        // Not hosted, or ended: nothing to share.
        this.kernel = null;
      } else {
        throw error;
      }
    } finally {
      this.known = true;
      this.pace();
      this.changedSignal.emit();
    }
  }

  private take(executions: readonly Execution[]): void {
    this.executions = executions;
    this.lasts.clear();
    for (const one of executions) {
      if (one.cell && !this.lasts.has(one.cell)) {
        this.lasts.set(one.cell, one);
      }
    }
  }

  private pace(interval: number = this.lostSince ? LOST : paceOf(this.kernel)): void {
    const max = this.lostSince ? LOST : LONGEST;
    const { frequency } = this.poll;
    if (!this.isDisposed && (frequency.interval !== interval || frequency.max !== max)) {
      this.poll.frequency = { ...frequency, interval, max };
    }
  }

  private readonly poll: FreshPoll;
  /** Whether it was connected ever: what is only just opening is not lost. */
  private connected: boolean;
  private losing: ReturnType<typeof setTimeout> | undefined;
  /** When JupyterLab may be asked to connect again. */
  private again = 0;
  /** Something was run, or may have been, since it was last asked for. */
  private stale = true;
  private ranAt = 0;
  private readonly lasts = new Map<string, Execution>();
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly refusedSignal = new Signal<this, string>(this);
}

/** How often to ask, when nothing tells of a change. */
function paceOf(kernel: SharedKernel | null): number {
  const cells = kernel?.queue.length ?? 0;
  return kernel?.silent || cells > 1 ? BUSY : cells ? RUNS : IDLE;
}

/** What waits, in turn. */
function order(kernel: SharedKernel | null): string {
  return (kernel?.queue ?? []).map(one => one.execution).join();
}
