/** Which cell a kernel runs, told by its messages: whichever page has asked for it. */
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

/** Requests remembered until the kernel has answered them. */
const REMEMBERED = 500;

export class RunningCell implements IDisposable {
  constructor(private readonly kernel: Kernel.IKernelConnection) {
    kernel.anyMessage.connect(this.onMessage, this);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** The cell's id; '' when none runs. */
  cell = '';

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    this.disposed = true;
    this.kernel.anyMessage.disconnect(this.onMessage, this);
    Signal.clearData(this);
  }

  private onMessage(_: Kernel.IKernelConnection, { msg, direction }: Kernel.IAnyMessageArgs): void {
    if (direction === 'send') {
      if (msg.header.msg_type === 'execute_request' && typeof msg.metadata.cellId === 'string') {
        this.remember(msg.header.msg_id, msg.metadata.cellId);
      }
      return;
    }
    if (msg.channel !== 'iopub' || msg.header.msg_type !== 'status') {
      return;
    }
    const { msg_id: request, cell_id: named } = msg.parent_header as { msg_id?: string; cell_id?: string };
    // A host of kernels copies the cell's id into the header: so the other pages know it, too.
    const cell = named ?? this.asked.get(request ?? '') ?? '';
    const { execution_state: state } = msg.content as KernelMessage.IStatusMsg['content'];
    if (cell && state === 'busy') {
      this.set(cell);
    } else if (cell && state === 'idle') {
      this.asked.delete(request ?? '');
      if (cell === this.cell) {
        this.set('');
      }
    } else if (state === 'restarting' || state === 'dead') {
      this.asked.clear();
      this.set('');
    }
  }

  private remember(request: string, cell: string): void {
    this.asked.set(request, cell);
    if (this.asked.size > REMEMBERED) {
      this.asked.delete(this.asked.keys().next().value!);
    }
  }

  private set(cell: string): void {
    if (cell !== this.cell) {
      this.cell = cell;
      this.changedSignal.emit();
    }
  }

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly asked = new Map<string, string>();
  private disposed = false;
}
