/** Asks the server to observe each Python kernel once after it starts, so that a plan knows what really ran. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

import type { Api } from '../api';

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
    if (status === 'restarting' || status === 'autorestarting' || status === 'starting') {
      this.observed.delete(kernel.id);
    } else if (status === 'idle' && !this.observed.has(kernel.id)) {
      this.observed.add(kernel.id);
      void this.observe(kernel);
    }
  }

  private async observe(kernel: Kernel.IKernelConnection): Promise<void> {
    try {
      const { language_info: language } = await kernel.info;
      if (language.name === 'python') {
        await this.api.publish.observe(kernel.id);
      }
    } catch {
      // Without observation the plan follows the text of the cells, and says so.
    }
  }

  private readonly observed = new Set<string>();
}
