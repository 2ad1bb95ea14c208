/** Shared kernels for the tests. */
import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import type { Execution, SharedKernel, Waiting } from '../api';

export function anExecution(change: Partial<Execution> = {}): Execution {
  return {
    id: 'e1',
    kernel: 'k1',
    person: 'ada',
    cell: 'c1',
    code: 'x = 1',
    status: 'ok',
    queued_at: '2026-11-25T10:00:00Z',
    started_at: '2026-11-25T10:00:00Z',
    ended_at: '2026-11-25T10:00:02Z',
    count: 1,
    generation: 1,
    first: 1,
    last: 9,
    reason: '',
    ...change
  };
}

export function aWaiting(change: Partial<Waiting> = {}): Waiting {
  return {
    execution: 'e1',
    position: 0,
    person: 'ada',
    cell: 'c1',
    line: 'x = 1',
    queued_at: '2026-11-25T10:00:00Z',
    started_at: null,
    estimate: null,
    wait: null,
    session: 'page',
    asks: null,
    ...change
  };
}

export function aKernel(change: Partial<SharedKernel> = {}): SharedKernel {
  return {
    id: 'k1',
    spec: 'python3',
    language: 'python',
    state: 'idle',
    owner: 'ada',
    role: 'owner',
    path: '',
    cluster: '',
    generation: 1,
    servers: 1,
    people: [],
    queue: [],
    grants: [{ person: '*', role: 'runner' }],
    memory: 0,
    oldest: 1,
    latest: 9,
    full: false,
    died: null,
    silent: '',
    silent_since: null,
    ended: '',
    ...change
  };
}

/** A connection whose messages the test says. */
export class FakeConnection {
  readonly id = 'k1';
  readonly clientId = 'this-page';
  readonly iopubMessage = new Signal<this, unknown>(this);
  readonly anyMessage = new Signal<this, unknown>(this);
  readonly connectionStatusChanged = new Signal<this, string>(this);
  connectionStatus = 'connected';
  /** How often it was asked to connect again. */
  reconnects = 0;

  /** The connection breaks, is made, or is given up. */
  becomes(status: string): void {
    this.connectionStatus = status;
    this.connectionStatusChanged.emit(status);
  }

  async reconnect(): Promise<void> {
    this.reconnects++;
  }

  /** As a kernel connection, which it is as far as it is asked. */
  get connection(): Kernel.IKernelConnection {
    return this as unknown as Kernel.IKernelConnection;
  }

  /** A message on iopub that answers execution `of`. */
  say(
    type: string,
    content: object,
    of: { id: string; cell?: string; person?: string; session?: string }
  ): void {
    const msg = {
      channel: 'iopub',
      header: { msg_id: `m${this.count++}`, msg_type: type, date: '2026-11-25T10:00:00Z' },
      parent_header: {
        msg_id: of.id,
        msg_type: 'execute_request',
        cell_id: of.cell ?? 'c1',
        username: of.person ?? 'bo',
        session: of.session ?? 'other-page'
      },
      metadata: {},
      content
    };
    this.anyMessage.emit({ msg, direction: 'recv' });
    this.iopubMessage.emit(msg);
  }

  /** This page asks for an execution. */
  ask(id: string): void {
    this.anyMessage.emit({ msg: { header: { msg_id: id, msg_type: 'execute_request' } }, direction: 'send' });
  }

  private count = 0;
}
