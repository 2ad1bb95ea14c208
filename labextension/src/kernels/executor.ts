/** Hands cells of shared notebooks to the server, in the order in which they were run; all others run as ever. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { ICodeCellModel } from '@jupyterlab/cells';
import { URLExt } from '@jupyterlab/coreutils';
import { type INotebookCellExecutor, runCell } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { ServerConnection } from '@jupyterlab/services';

import type { Execution } from '../api';
import type { LiveKernel } from './model';
import { may } from './words';

type Options = INotebookCellExecutor.IRunCellOptions;

/** Ends that are remembered: one may come before the answer that names the execution. */
const REMEMBERED = 500;
/** Milliseconds that a kernel may take to come. */
const START = 60_000;
/** Milliseconds that a page may take, once a notebook is open, to find out which kernel it has. */
const FIND = 10_000;

export class ServerExecutor {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    /** null: the kernel has no host. */
    private readonly shared: (kernel: Kernel.IKernelConnection) => Promise<LiveKernel | null>,
    private readonly refused: (why: string) => void
  ) {}

  async runCell(options: Options): Promise<boolean> {
    const { cell, notebook } = options;
    if (cell.model.type !== 'code') {
      return runCell(options);
    }
    // One after the other, from the first look at the kernel on: of cells that wait for it, any may go on first, and
    // of requests that are sent at once, any may arrive first.
    const begun = (this.order.get(notebook) ?? Promise.resolve()).then(() => this.begin(options));
    this.order.set(
      notebook,
      begun.then(
        () => undefined,
        () => undefined
      )
    );
    return (await begun).ended;
  }

  /** Hands it over; `ended` tells whether it went well. */
  private async begin(options: Options): Promise<{ ended: Promise<boolean> }> {
    const { cell, notebook, sessionContext } = options;
    if (sessionContext && !sessionContext.session?.kernel) {
      await this.come(sessionContext);
    }
    const kernel = sessionContext?.session?.kernel;
    const room = notebook.sharedModel.getState('document_id');
    const busy = sessionContext?.isTerminating || sessionContext?.pendingInput;
    if (!kernel || busy || typeof room !== 'string') {
      return { ended: runCell(options) };
    }
    const live = await this.shared(kernel);
    if (!live) {
      return { ended: runCell(options) };
    }
    options.onCellExecutionScheduled({ cell });
    const ends = this.endsOf(live);
    const asked = this.ask(kernel.id, room, cell.model.id, cell.model.sharedModel.getSource());
    const ended = this.untilEnded(options, live, ends, asked);
    await asked.catch(() => undefined);
    return { ended };
  }

  /** JupyterLab would take away the outputs of cells that are run while a kernel is on its way, and run not all, or none. */
  private async come(sessionContext: ISessionContext): Promise<void> {
    const { hasNoKernel, isReady, ready } = sessionContext;
    // A notebook has none, too, while it is being opened; but whoever chose none is asked again only by JupyterLab.
    if (!hasNoKernel || (!isReady && !this.found.has(sessionContext))) {
      this.found.add(sessionContext);
      await Promise.race([ready, new Promise(resolve => setTimeout(resolve, hasNoKernel ? FIND : START))]);
    }
  }

  private async untilEnded(
    { cell, onCellExecuted }: Options,
    live: LiveKernel,
    ends: Ends,
    asked: Promise<string>
  ): Promise<boolean> {
    let success = false;
    const done = may(live.kernel?.role ?? null, 'runner')
      ? trustWhenEmpty(cell.model as ICodeCellModel)
      : null;
    try {
      success = await ends.of(await asked);
    } catch (error) {
      this.refused((error as Error).message);
    }
    done?.();
    onCellExecuted({ cell, success });
    return success;
  }

  /** The execution's id. */
  private async ask(kernel: string, room: string, cell: string, source: string): Promise<string> {
    const url = URLExt.join(this.settings.baseUrl, 'api/kernels', kernel, 'execute');
    const body = JSON.stringify({ cell_id: cell, document_id: room, source, wait: false });
    return ((await post(url, body, this.settings)) as { execution: string }).execution;
  }

  private endsOf(live: LiveKernel): Ends {
    let ends = this.ends.get(live);
    if (!ends) {
      ends = new Ends(live);
      this.ends.set(live, ends);
    }
    return ends;
  }

  /** What the next cell of a notebook waits for. */
  private readonly order = new WeakMap<Options['notebook'], Promise<void>>();
  private readonly ends = new WeakMap<LiveKernel, Ends>();
  /** For whose first kernel was waited. */
  private readonly found = new WeakSet<ISessionContext>();
}

/**
 * Who runs a cell trusts what it shows, as JupyterLab has it: without, widgets and plots would be text. Only while it
 * shows nothing: JupyterLab writes what becomes trusted into the document anew, over what the server is writing.
 *
 * Returns what ends the watch.
 */
function trustWhenEmpty(model: ICodeCellModel): () => void {
  const { outputs } = model;
  const look = () => {
    if (outputs.length === 0) {
      model.trusted = true;
    }
  };
  look();
  outputs.changed.connect(look);
  return () => outputs.changed.disconnect(look);
}

/** Which executions have ended, and how. */
class Ends {
  constructor(private readonly live: LiveKernel) {
    live.connection.iopubMessage.connect(this.onMessage, this);
    live.changed.connect(this.look, this);
  }

  /** Whether it went well, once it has ended. */
  of(execution: string): Promise<boolean> {
    const known = this.ended.get(execution);
    return known === undefined
      ? new Promise(resolve => this.waiting.set(execution, resolve))
      : Promise.resolve(known);
  }

  private onMessage(_: Kernel.IKernelConnection, message: KernelMessage.IIOPubMessage): void {
    const id = (message.parent_header as Partial<KernelMessage.IHeader>).msg_id ?? '';
    const type = message.header.msg_type;
    if (type === 'execute_input') {
      this.began.add(id);
    } else if (type === 'error') {
      this.began.delete(id);
    } else if (type === 'status') {
      const { execution_state: state } = message.content as KernelMessage.IStatusMsg['content'];
      if (state === 'idle') {
        this.end(id, this.began.delete(id));
      }
    }
  }

  /** What ended while the line was down. */
  private look(): void {
    for (const one of this.live.executions) {
      if (one.ended_at && this.waiting.has(one.id)) {
        this.end(one.id, isOk(one));
      }
    }
  }

  private end(execution: string, success: boolean): void {
    this.ended.set(execution, success);
    if (this.ended.size > REMEMBERED) {
      this.ended.delete(this.ended.keys().next().value!);
    }
    this.waiting.get(execution)?.(success);
    this.waiting.delete(execution);
  }

  private readonly began = new Set<string>();
  private readonly ended = new Map<string, boolean>();
  private readonly waiting = new Map<string, (success: boolean) => void>();
}

function isOk(execution: Execution): boolean {
  return execution.status === 'ok';
}

/** Throws an `Error` with the server's words when it refuses. */
export async function post(
  url: string,
  body: string,
  settings: ServerConnection.ISettings
): Promise<unknown> {
  const response = await ServerConnection.makeRequest(url, { method: 'POST', body }, settings);
  const told = (await response.json().catch(() => null)) as { message?: string; hint?: string } | null;
  if (!response.ok) {
    throw new Error([told?.message ?? response.statusText, told?.hint ?? ''].filter(Boolean).join(' '));
  }
  return told;
}
