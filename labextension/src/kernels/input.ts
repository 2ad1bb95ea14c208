/** The box for an `input()` that another page, or the server, has asked for: whoever runs the cell answers anywhere. */
import type { Cell, CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Panel, type PanelLayout } from '@lumino/widgets';

/** The session of what the server runs in a shared document. */
const SHARED = 'document/';

export class Inputs implements IDisposable {
  constructor(
    private readonly panel: NotebookPanel,
    private readonly kernel: Kernel.IKernelConnection,
    /** Sends an answer to what the server runs. */
    private readonly answer: (execution: string, value: string) => Promise<void>
  ) {
    kernel.anyMessage.connect(this.onMessage, this);
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this.kernel.anyMessage.disconnect(this.onMessage, this);
    this.boxes.forEach(box => box.dispose());
    this.boxes.clear();
  }

  private onMessage(_: Kernel.IKernelConnection, { msg, direction }: Kernel.IAnyMessageArgs): void {
    const parent = msg.parent_header as Partial<KernelMessage.IHeader> & { cell_id?: string };
    if (direction !== 'recv' || !parent.msg_id || parent.session === this.kernel.clientId) {
      return;
    }
    const type: string = msg.header.msg_type;
    if (type === 'input_request' && parent.cell_id) {
      void this.ask(msg as KernelMessage.IInputRequestMsg, parent.msg_id, parent.cell_id, parent.session ?? '');
    } else if (msg.channel === 'iopub') {
      // It goes on: somebody has answered.
      this.close(parent.msg_id);
    }
  }

  private async ask(
    request: KernelMessage.IInputRequestMsg,
    execution: string,
    id: string,
    session: string
  ): Promise<void> {
    const cell = this.panel.content.widgets.find(one => one.model.id === id);
    if (!cell || !isCodeCell(cell)) {
      return;
    }
    this.close(execution);
    const box = new Panel();
    this.boxes.set(execution, box);
    await this.panel.content.scrollToCell(cell);
    await cell.ready;
    if (box.isDisposed) {
      return;
    }
    const { outputArea, model } = cell;
    const { prompt, password } = request.content;
    const reply = (content: KernelMessage.IInputReply) => {
      if (content.status === 'ok' && session.startsWith(SHARED)) {
        void this.answer(execution, content.value);
      } else {
        this.kernel.sendInputReply(content, request.header);
      }
    };
    const input = outputArea.contentFactory.createStdin({
      parent_header: request.header,
      prompt,
      password,
      future: { sendInputReply: reply } as unknown as Kernel.IShellFuture
    });
    box.addClass('jp-OutputArea-child');
    box.addClass('jp-OutputArea-stdin-item');
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
      this.close(execution);
    });
  }

  private close(execution: string): void {
    const box = this.boxes.get(execution);
    this.boxes.delete(execution);
    // JupyterLab's input still looks at its own node.
    box && setTimeout(() => box.dispose());
  }

  private readonly boxes = new Map<string, Panel>();
}

function isCodeCell(cell: Cell): cell is CodeCell {
  return cell.model.type === 'code';
}
