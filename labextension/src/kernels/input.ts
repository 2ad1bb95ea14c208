/** The box for an `input()` that another page, or the server, has asked for: whoever runs the cell answers anywhere. */
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Panel, type PanelLayout } from '@lumino/widgets';

import type { LiveKernel } from './model';

/** One question. */
interface Asked {
  execution: string;
  cell: string;
  session: string;
  prompt: string;
  password: boolean;
  header: KernelMessage.IHeader<'input_request'>;
}

/** What is open for a question. */
interface Box {
  panel: Panel;
  prompt: string;
  /** Whether the server has said that it is asked: only then it tells when it was answered elsewhere. */
  known: boolean;
}

/** JupyterLab's classes of a box, and of one that has its answer and goes by itself. */
const ITEM = 'jp-OutputArea-stdin-item';
const ANSWERED = 'jp-OutputArea-stdin-hiding';
/** The session of what the server runs in a shared document. */
const SHARED = 'document/';

export class Inputs implements IDisposable {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly live: LiveKernel,
    /** Sends an answer to what the server runs. */
    private readonly answer: (execution: string, value: string) => Promise<void>
  ) {
    this.kernel = live.connection;
    this.kernel.anyMessage.connect(this.onMessage, this);
    live.changed.connect(this.look, this);
    this.look();
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this.kernel.anyMessage.disconnect(this.onMessage, this);
    this.live.changed.disconnect(this.look, this);
    this.boxes.forEach(({ panel }) => panel.dispose());
    this.boxes.clear();
  }

  private onMessage(_: Kernel.IKernelConnection, { msg, direction }: Kernel.IAnyMessageArgs): void {
    const parent = msg.parent_header as Partial<KernelMessage.IHeader> & { cell_id?: string };
    if (direction === 'send' && msg.header.msg_type === 'execute_request') {
      this.sent.add(msg.header.msg_id);
    }
    if (direction !== 'recv' || !parent.msg_id) {
      return;
    }
    const type: string = msg.header.msg_type;
    const isIdle = type === 'status' && (msg as KernelMessage.IStatusMsg).content.execution_state === 'idle';
    if (this.sent.has(parent.msg_id)) {
      if (isIdle && parent.cell_id) {
        this.sweep(parent.cell_id);
      }
      return;
    }
    if (type === 'input_request' && parent.cell_id) {
      this.answered.delete(parent.msg_id);
      const { prompt, password } = msg.content as KernelMessage.IInputRequestMsg['content'];
      const session = parent.session ?? '';
      const header = msg.header as KernelMessage.IHeader<'input_request'>;
      void this.ask({ execution: parent.msg_id, cell: parent.cell_id, session, prompt, password, header });
    } else if (isIdle) {
      this.close(parent.msg_id);
    }
  }

  /** What was asked before this page was open, and what was answered elsewhere. */
  private look(): void {
    const first = this.live.kernel?.queue[0];
    for (const [execution, box] of this.boxes) {
      if (first?.asks && first.execution === execution) {
        box.known = true;
      } else if (box.known) {
        this.close(execution);
      }
    }
    if (!first?.asks) {
      this.answered.clear();
    } else if (
      first.person === this.live.me &&
      !this.sent.has(first.execution) &&
      !this.boxes.has(first.execution) &&
      !this.answered.has(first.execution)
    ) {
      const { execution, cell, session, asks } = first;
      const header = { msg_id: execution } as KernelMessage.IHeader<'input_request'>;
      void this.ask({ execution, cell, session, ...asks, header });
    }
  }

  private async ask({ execution, session, ...asked }: Asked): Promise<void> {
    const cell = this.panel.content.widgets.find(one => one.model.id === asked.cell);
    if (!cell || !isCodeCell(cell)) {
      return;
    }
    const { outputArea, model } = cell;
    const { prompt, password, header } = asked;
    if (this.boxes.get(execution)?.prompt === prompt) {
      return; // told again, to a page that came back: what is typed already stays
    }
    this.close(execution);
    const box = new Panel();
    this.boxes.set(execution, { panel: box, prompt, known: false });
    await this.panel.content.scrollToCell(cell);
    await cell.ready;
    if (box.isDisposed) {
      return;
    }
    const reply = (content: KernelMessage.IInputReply) => {
      if (content.status === 'ok' && session.startsWith(SHARED)) {
        void this.answer(execution, content.value);
      } else {
        this.kernel.sendInputReply(content, header);
      }
    };
    const input = outputArea.contentFactory.createStdin({
      parent_header: header,
      prompt,
      password,
      future: { sendInputReply: reply } as unknown as Kernel.IShellFuture
    });
    box.addClass('jp-OutputArea-child');
    box.addClass(ITEM);
    const mark = outputArea.contentFactory.createOutputPrompt();
    mark.addClass('jp-OutputArea-prompt');
    input.addClass('jp-OutputArea-output');
    box.addWidget(mark);
    box.addWidget(input);
    (outputArea.layout as PanelLayout).addWidget(box);
    void input.value.then(value => {
      // In a shared document the server writes it.
      if (!session.startsWith(SHARED)) {
        model.outputs.add({ output_type: 'stream', name: 'stdin', text: `${value}\n` });
      }
      this.answered.add(execution);
      this.close(execution);
    });
  }

  /** JupyterLab leaves its own box when the cell ends without an answer, as by an interrupt. */
  private sweep(id: string): void {
    const cell = this.panel.content.widgets.find(one => one.model.id === id);
    if (!cell || !isCodeCell(cell)) {
      return;
    }
    for (const box of [...cell.outputArea.widgets]) {
      if (box.hasClass(ITEM) && !box.hasClass(ANSWERED)) {
        setTimeout(() => box.dispose());
      }
    }
  }

  private close(execution: string): void {
    const box = this.boxes.get(execution);
    this.boxes.delete(execution);
    // JupyterLab's input still looks at its own node.
    setTimeout(() => box?.panel.dispose());
  }

  private readonly kernel: Kernel.IKernelConnection;
  /** Asked for by this page: JupyterLab shows their boxes. */
  private readonly sent = new Set<string>();
  private readonly boxes = new Map<string, Box>();
  /** By this page; the server may not know of it yet. */
  private readonly answered = new Set<string>();
}

function isCodeCell(cell: Cell): cell is CodeCell {
  return cell.model.type === 'code';
}
