/** All of the shared kernels' front end that works while notebooks are open, made when the first one opens. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { type ISessionContextDialogs, Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { BoxPanel, PanelLayout, type Widget } from '@lumino/widgets';

import { Kernels } from '../api/kernels';
import type { Context } from '../ui/context';
import { askBeforeRestart, guard } from './asking';
import { banner } from './banner';
import { post, ServerExecutor } from './executor';
import { Inputs } from './input';
import { Marks } from './marks';
import { LiveKernel } from './model';
import { peopleButton } from './people';
import { sayOnce, type Said } from './once';
import { Replays } from './replay';

/** Milliseconds for which the same refusal is not said again. */
const QUIET = 15_000;

export class KernelDesk {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly context: Context,
    private readonly dialogs: ISessionContextDialogs | null
  ) {
    context.api.kernels = new Kernels(context.api.server);
    this.executor = new ServerExecutor(app.serviceManager.serverSettings, this.find, this.tellRefusal);
    if (dialogs) {
      askBeforeRestart(dialogs, this.find, context.trans);
    }
    sayOnce(said => this.saysItself(said));
  }

  readonly executor: ServerExecutor;

  /** Follow a notebook's kernel, whichever it is; `place` is for its button in the toolbar. */
  follow(panel: NotebookPanel, place: Widget): void {
    const { sessionContext } = panel;
    const look = () => this.look(panel, place);
    sessionContext.kernelChanged.connect(look, place);
    panel.disposed.connect(() => this.forget(panel));
    look();
  }

  private look(panel: NotebookPanel, place: Widget): void {
    const session = panel.sessionContext.session;
    const kernel = session?.kernel ?? null;
    const before = this.followed.get(panel);
    if (before?.kernel === kernel) {
      return;
    }
    this.forget(panel);
    if (!session || !kernel || panel.isDisposed) {
      return;
    }
    const { context } = this;
    const live = new LiveKernel(context.api, context.overview, kernel);
    const { serverSettings } = this.app.serviceManager;
    const answer = async (execution: string, value: string) => {
      const url = URLExt.join(
        serverSettings.baseUrl,
        'api/kernels',
        kernel.id,
        'execute',
        execution,
        'input'
      );
      await post(url, JSON.stringify({ value }), serverSettings).catch(error =>
        this.tellRefusal((error as Error).message)
      );
    };
    live.refused.connect((_, why) => this.tellRefusal(why));
    guard(kernel, session, this.find, context.trans);
    const button = peopleButton(context, panel, live);
    (place.layout as PanelLayout).addWidget(button);
    const { sessionContext } = panel;
    const notice = banner(context, panel, live, ask => {
      void (ask && this.dialogs ? this.dialogs.restart(sessionContext) : sessionContext.restartKernel());
    });
    panel.contentHeader.addWidget(notice);
    BoxPanel.setStretch(notice, 0);
    const parts = [
      new Marks(context, panel, live),
      new Replays(context.api, panel, live),
      new Inputs(panel, live, answer),
      button,
      notice,
      live
    ];
    this.followed.set(panel, { kernel, live, parts });
  }

  private forget(panel: NotebookPanel): void {
    this.followed.get(panel)?.parts.forEach(part => part.dispose());
    this.followed.delete(panel);
  }

  /** Whether what a dialog of JupyterLab's would say stands above the notebook, or is about to. */
  private saysItself(said: Said): boolean {
    if (said.what === 'restarts') {
      return [...this.followed].some(
        ([panel, { live }]) => live.kernel && said.words.includes(panel.sessionContext.path)
      );
    }
    const front = [...this.followed].find(([panel]) => panel === this.app.shell.currentWidget);
    return Boolean(front?.[1].live.kernel);
  }

  /** null: it has no host. */
  private readonly find = async (kernel: Kernel.IKernelConnection): Promise<LiveKernel | null> => {
    const live = [...this.followed.values()].find(one => one.kernel.id === kernel.id)?.live;
    if (!live) {
      return null;
    }
    if (!live.known) {
      await live.ask();
    }
    return live.kernel ? live : null;
  };

  private readonly tellRefusal = (why: string): void => {
    const now = Date.now();
    if (why && now - (this.told.get(why) ?? 0) > QUIET) {
      Notification.warning(why, { autoClose: 8_000 });
    }
    this.told.set(why, now);
  };

  private readonly told = new Map<string, number>();
  private readonly followed = new Map<
    NotebookPanel,
    { kernel: Kernel.IKernelConnection; live: LiveKernel; parts: { dispose(): void }[] }
  >();
}
