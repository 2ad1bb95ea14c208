/** Asks the server to observe each Python kernel once after it starts, so that a plan knows what really ran. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

import type { Api } from '../api';

const TRIES = 3;

export class Observing {
  constructor(
    private readonly api: Api,
    notebooks: INotebookTracker
  ) {
    notebooks.forEach(panel => this.watch(panel));
    notebooks.widgetAdded.connect((_, panel) => this.watch(panel), this);
  }

  private watch(panel: NotebookPanel): void {
    panel.sessionContext.statusChanged.connect(this.onStatus, this);
  }

  private onStatus(session: ISessionContext, status: Kernel.Status): void {
    const kernel = session.session?.kernel;
    if (!kernel) {
      return;
    }
    switch (status) {
      case 'restarting':
      case 'autorestarting':
        this.tries.delete(kernel.id);
        return;
      case 'idle':
      case 'busy':
      case 'unknown':
        // After a restart the status stays unknown until something runs: too late to begin then.
        void this.observe(kernel);
    }
  }

  private async observe(kernel: Kernel.IKernelConnection): Promise<void> {
    const tries = this.tries.get(kernel.id) ?? 0;
    if (tries >= TRIES) {
      return;
    }
    // Until it has answered, nothing more is asked: asking makes the kernel busy and idle again.
    this.tries.set(kernel.id, TRIES);
    try {
      const { language_info: language } = await kernel.info;
      if (language.name === 'python' && !(await this.api.publish.observe(kernel.id)).observing) {
        this.tries.set(kernel.id, tries + 1);
      }
    } catch {
      // Without observation the plan follows the text of the cells, and says so.
      this.tries.set(kernel.id, tries + 1);
    }
  }

  /** How often each kernel was asked since it started. */
  private readonly tries = new Map<string, number>();
}
