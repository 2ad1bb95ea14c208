/** Lets cells show what was run without this page: before a reload, or by somebody else on the same kernel. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import type { Api, Execution, KernelMessages } from '../api';
import type { LiveKernel } from './model';

/** A message as far as it is looked at; the server's own or the kernel connection's. */
export interface Said {
  header: { msg_id: string; msg_type: string };
  content: Record<string, unknown>;
}

/** One execution that writes into a cell. */
export class Replay {
  constructor(
    private readonly model: ICodeCellModel,
    private readonly displays: Displays,
    /** Whether this page's person has run it: only then are its scripts trusted. */
    own: boolean
  ) {
    model.outputs.clear();
    if (own) {
      model.trusted = true;
    }
    model.executionState = 'running';
  }

  ended = false;

  /** Also of messages that came before, another way: each counts once. */
  feed({ header, content }: Said): void {
    if (this.seen.has(header.msg_id) || this.ended || this.model.isDisposed) {
      return;
    }
    this.seen.add(header.msg_id);
    const { outputs } = this.model;
    switch (header.msg_type) {
      case 'stream':
      case 'error':
      case 'execute_result':
      case 'display_data': {
        outputs.add({ ...content, output_type: header.msg_type } as nbformat.IOutput);
        const id = displayId(content);
        if (id && header.msg_type === 'display_data') {
          this.displays.note(id, this.model, outputs.length - 1);
        }
        break;
      }
      case 'update_display_data':
        this.displays.update(displayId(content), content);
        break;
      case 'clear_output':
        outputs.clear(content.wait === true);
        break;
      case 'execute_input':
        this.count = content.execution_count as number;
        break;
      case 'status':
        if (content.execution_state === 'idle') {
          this.end();
        }
    }
  }

  /** Nothing more comes. */
  end(): void {
    if (!this.ended && !this.model.isDisposed) {
      this.ended = true;
      // Last: on hearing of a count, the cell takes itself for ended.
      this.model.executionCount = this.count;
      this.model.executionState = 'idle';
    }
  }

  private count: number | null = null;
  private readonly seen = new Set<string>();
}

/** Where each display id is shown. */
export class Displays {
  note(id: string, model: ICodeCellModel, index: number): void {
    this.places.set(id, [...(this.places.get(id) ?? []), { model, index }]);
  }

  update(id: string, content: Record<string, unknown>): void {
    for (const { model, index } of this.places.get(id) ?? []) {
      if (!model.isDisposed && index < model.outputs.length) {
        model.outputs.set(index, { ...content, output_type: 'display_data' } as nbformat.IOutput);
      }
    }
  }

  private readonly places = new Map<string, { model: ICodeCellModel; index: number }[]>();
}

/** Those of one notebook. In a shared document nothing is written: the server does. */
export class Replays implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly panel: NotebookPanel,
    private readonly live: LiveKernel
  ) {
    this.live.connection.anyMessage.connect(this.onMessage, this);
    this.live.connection.connectionStatusChanged.connect(this.onConnection, this);
    live.changed.connect(this.look, this);
    void panel.context.ready.then(() => this.look());
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this.live.connection.anyMessage.disconnect(this.onMessage, this);
    this.live.connection.connectionStatusChanged.disconnect(this.onConnection, this);
    this.live.changed.disconnect(this.look, this);
  }

  private onMessage(_: Kernel.IKernelConnection, { msg, direction }: Kernel.IAnyMessageArgs): void {
    const parent = msg.parent_header as Partial<KernelMessage.IHeader> & { cell_id?: string };
    if (direction === 'send') {
      if (msg.header.msg_type === 'execute_request') {
        this.sent.add(msg.header.msg_id);
      }
    } else if (msg.channel === 'iopub' && parent.msg_id && !this.sent.has(parent.msg_id)) {
      if (msg.header.msg_type === 'execute_input' && parent.cell_id) {
        const { code } = msg.content as KernelMessage.IExecuteInputMsg['content'];
        this.begin(parent.msg_id, parent.cell_id, code, parent.username ?? '');
      }
      this.feed(parent.msg_id, msg as unknown as Said);
    }
  }

  /** The server tells a page that comes back what became of its own cells; of those of others, it asks. */
  private onConnection(_: Kernel.IKernelConnection, status: Kernel.ConnectionStatus): void {
    for (const [id, replay] of this.replays) {
      if (replay.ended) {
        continue;
      }
      if (status === 'connected') {
        void this.catchUp(id);
      } else if (!this.early.has(id)) {
        this.early.set(id, []);
      }
    }
  }

  /** What ran, or runs, and is not in the cells. */
  private look(): void {
    if (!this.panel.context.isReady || this.writesItself) {
      return;
    }
    this.failed.forEach(id => this.endIfOver(id));
    for (const { model } of this.panel.content.widgets) {
      const last = this.live.last(model.id);
      if (last && !this.sent.has(last.id) && !this.looked.has(last.id) && model.type === 'code') {
        this.lookAt(model as ICodeCellModel, last);
      }
    }
  }

  private lookAt(model: ICodeCellModel, last: Execution): void {
    if (last.status === 'queued') {
      if (last.person === this.live.me) {
        model.executionState = 'running';
        this.starred.set(last.id, model);
      }
      return;
    }
    this.looked.add(last.id);
    if (last.status === 'aborted' && !last.started_at) {
      this.unstar(last.id);
      return;
    }
    const saved = Date.parse(this.panel.context.contentsModel?.last_modified ?? '') || 0;
    const missing = !last.ended_at || Date.parse(last.ended_at) > saved;
    if (missing && this.begin(last.id, model.id, last.code, last.person)) {
      void this.catchUp(last.id);
    }
  }

  /** What was said while this page did not listen. */
  private async catchUp(id: string): Promise<void> {
    const { connection } = this.live;
    let after = 0;
    let page: KernelMessages | null = null;
    this.early.set(id, this.early.get(id) ?? []);
    try {
      do {
        page = await this.api.kernels.messages(connection.id, id, after);
        page.items.forEach(message => this.replays.get(id)?.feed(message as unknown as Said));
        after = page.next;
      } while (page.items.length && !page.end);
    } catch {
      if (connection.connectionStatus !== 'connected') {
        return; // asked again when it is
      }
      this.failed.add(id);
      // What it said is no longer kept: the mark still says that it ran.
    }
    const early = this.early.get(id) ?? [];
    this.early.delete(id);
    early.forEach(message => this.feed(id, message));
    this.endIfOver(id);
  }

  private endIfOver(id: string): void {
    if (this.live.executions.some(one => one.id === id && one.ended_at)) {
      this.failed.delete(id);
      this.replays.get(id)?.end();
    }
  }

  /** Whether it writes into the cell from now on. */
  private begin(id: string, cell: string, code: string, person: string): boolean {
    const model = this.panel.content.widgets.find(one => one.model.id === cell)?.model;
    this.looked.add(id);
    if (this.writesItself || this.replays.has(id) || model?.type !== 'code') {
      return false;
    }
    // A cell with other code is another cell: it shows only who ran what.
    if (model.sharedModel.getSource() !== code) {
      this.unstar(id);
      return false;
    }
    this.starred.delete(id);
    const own = person !== '' && person === this.live.me;
    this.replays.set(id, new Replay(model as ICodeCellModel, this.displays, own));
    return true;
  }

  private feed(id: string, message: Said): void {
    const early = this.early.get(id);
    if (early) {
      early.push(message);
    } else if (message.header.msg_type === 'update_display_data' && !this.replays.has(id)) {
      this.displays.update(displayId(message.content), message.content);
    } else {
      this.replays.get(id)?.feed(message);
    }
    if (message.header.msg_type === 'status' && message.content.execution_state === 'idle') {
      this.unstar(id);
    }
  }

  private unstar(id: string): void {
    const model = this.starred.get(id);
    this.starred.delete(id);
    if (model && !model.isDisposed && !this.replays.has(id)) {
      model.executionState = 'idle';
    }
  }

  private get writesItself(): boolean {
    return this.panel.context.model.collaborative === true;
  }

  /** Asked for by this page: JupyterLab shows them. */
  private readonly sent = new Set<string>();
  private readonly looked = new Set<string>();
  private readonly starred = new Map<string, ICodeCellModel>();
  private readonly replays = new Map<string, Replay>();
  private readonly early = new Map<string, Said[]>();
  /** Of which the server could not say what they said: their end may have been missed, too. */
  private readonly failed = new Set<string>();
  private readonly displays = new Displays();
}

function displayId(content: Record<string, unknown>): string {
  return String((content.transient as { display_id?: string } | undefined)?.display_id ?? '');
}
