/** What people do with clusters, by whichever way they ask: panel, chip, palette, keyboard. */
import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { ApiError, asApiError, type Cluster, type PackageComparison } from '../api';
import { CommandIDs } from '../tokens';
import type { Context } from '../ui/context';
import type { Attaching } from './attaching';
import type { Clusters } from './model';
import { clusterStateWords, isDown, isScalable, isUp, workersWords } from './words';
import type { NotebookWork } from './work';

type Arguments = ReadonlyPartialJSONObject;
type Which = (cluster: Cluster) => boolean;

/** How long a message that something went well stays. */
const SHORT = 6_000;

export class Actions {
  constructor(
    private readonly context: Context,
    private readonly clusters: Clusters,
    private readonly attaching: Attaching,
    private readonly notebooks: INotebookTracker,
    private readonly workOf: (panel: NotebookPanel) => NotebookWork | undefined
  ) {}

  async create(args: Arguments): Promise<void> {
    const { askNewCluster } = await import('./dialog');
    const panel = this.notebooks.currentWidget;
    const cluster = await askNewCluster(this.context, this.clusters, {
      profile: String(args.profile ?? ''),
      notebook: panel?.context.path ?? ''
    });
    if (document.activeElement === document.body) {
      panel?.activate(); // where it was asked from, such as the palette, is gone
    }
    if (cluster && args.attach && panel) {
      await this.attachTo(panel, cluster.name);
    }
  }

  async attach(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const panel = this.notebooks.currentWidget;
    if (!panel) {
      Notification.info(trans.__('Open a notebook first: its kernel is what is attached.'), {
        autoClose: SHORT
      });
      return;
    }
    const name = await this.choose(args, trans.__('Attach the notebook to'), () => true);
    if (name) {
      await this.attachTo(panel, name);
    }
  }

  async detach(): Promise<void> {
    const panel = this.notebooks.currentWidget;
    if (panel && this.attaching.of(panel)) {
      await this.tell(this.attaching.detach(panel));
    }
  }

  async start(args: Arguments): Promise<void> {
    const name = await this.choose(args, this.context.trans.__('Start'), ({ state }) => isDown(state));
    if (name) {
      await this.tell(this.clusters.startCluster(name));
    }
  }

  async stop(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const name = await this.choose(args, trans.__('Stop'), ({ state }) => !isDown(state));
    const holders = this.clusters.find(name)?.holders ?? 0;
    const users = this.clusters.usersOf(name).join(', ');
    const sure =
      holders === 0 ||
      (await this.confirm(
        trans.__('Stop %1?', name),
        trans._n(
          '%1 kernel or run uses it (%2). What its workers hold in memory is lost.',
          '%1 kernels and runs use it (%2). What its workers hold in memory is lost.',
          holders,
          users
        ),
        trans.__('Stop')
      ));
    if (name && sure) {
      await this.tell(this.clusters.stopCluster(name));
    }
  }

  async keep(args: Arguments): Promise<void> {
    const name = await this.choose(args, this.context.trans.__('Keep'), ({ state }) => state === 'draining');
    if (name) {
      await this.tell(this.clusters.keep(name));
    }
  }

  async scale(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const fits: Which = cluster => isUp(cluster.state) && isScalable(cluster);
    const name = await this.choose(args, trans.__('Scale'), fits);
    const cluster = this.clusters.find(name);
    if (cluster && !isScalable(cluster)) {
      Notification.info(trans.__('%1 has the workers that it has: its size cannot be changed.', name), {
        autoClose: SHORT
      });
    } else if (cluster) {
      const { ScaleDialog } = await import('./scale');
      await new ScaleDialog(this.context, cluster, workers => this.clusters.scale(name, workers)).launch();
    }
  }

  async remove(args: Arguments): Promise<void> {
    const { trans } = this.context;
    const name = await this.choose(args, trans.__('Delete'), () => true);
    const cluster = this.clusters.find(name);
    if (!cluster) {
      return;
    }
    const goes = [
      trans.__('Its settings and its logs are removed.'),
      ...(cluster.live_workers
        ? [
            trans._n(
              '%1 worker stops.',
              '%1 workers stop, with what they hold in memory.',
              cluster.live_workers
            )
          ]
        : []),
      ...(cluster.holders
        ? [
            trans._n(
              '%1 kernel or run loses it (%2).',
              '%1 kernels and runs lose it (%2).',
              cluster.holders,
              this.clusters.usersOf(name).join(', ')
            )
          ]
        : [])
    ];
    if (await this.confirm(trans.__('Delete %1?', name), goes.join(' '), trans.__('Delete'))) {
      await this.tell(this.clusters.remove(name));
    }
  }

  /** Says how the packages compare: one line when they are equal, a table when not. */
  async compare(): Promise<void> {
    const panel = this.notebooks.currentWidget;
    if (panel) {
      const comparison = await this.tell(this.attaching.compare(panel));
      if (comparison) {
        await this.show(this.attaching.of(panel), comparison);
      }
    }
  }

  /** The comparison, and what can be done about it; the person may say: do it. */
  async show(cluster: string, comparison: PackageComparison): Promise<void> {
    const { showComparison } = await import('./packages');
    const panel = this.notebooks.currentWidget;
    const agreed = await showComparison(this.context, cluster, comparison);
    if (agreed && panel && this.attaching.of(panel) === cluster) {
      await this.synchronise(panel, cluster, comparison.plan.digest);
    }
  }

  private async synchronise(panel: NotebookPanel, cluster: string, digest: string): Promise<void> {
    const { trans } = this.context;
    const said = Notification.emit(trans.__('Packages are installed for %1…', cluster), 'in-progress', {
      autoClose: false
    });
    const compared = await this.tell(this.attaching.synchronise(panel, digest));
    Notification.dismiss(said);
    if (compared) {
      Notification.success(trans.__('The workers of %1 have the packages.', cluster), { autoClose: SHORT });
    }
  }

  async cancelWork(): Promise<void> {
    const { trans } = this.context;
    const panel = this.notebooks.currentWidget;
    const work = panel && this.workOf(panel);
    if (work) {
      const remaining = await this.tell(work.cancel());
      if (remaining !== undefined) {
        Notification.info(remaining || trans.__("The cell's work on the cluster is cancelled."), {
          autoClose: SHORT
        });
      }
    }
  }

  /** The cluster that the arguments name, else the one that the person picks; '' for none. */
  async choose(args: Arguments, title: string, fits: Which): Promise<string> {
    if (typeof args.cluster === 'string' && args.cluster) {
      return args.cluster;
    }
    const { trans } = this.context;
    if (!this.clusters.items) {
      await this.clusters.refresh();
    }
    const found = (this.clusters.items ?? []).filter(fits);
    if (!found.length) {
      Notification.info(trans.__('There is no cluster for this.'), { autoClose: SHORT });
      return '';
    }
    const words = found.map(
      cluster =>
        `${cluster.name} (${clusterStateWords(cluster.state, trans)}, ${workersWords(cluster, trans)})`
    );
    const picked = await InputDialog.getItem({ title, items: words, okLabel: trans.__('OK') });
    return picked.button.accept ? found[words.indexOf(picked.value ?? '')].name : '';
  }

  refuse(error: ApiError): void {
    Notification.error(error.text, { autoClose: false });
  }

  private async attachTo(panel: NotebookPanel, name: string): Promise<void> {
    await this.tell(this.attaching.attach(panel, name));
  }

  /** What was asked for, or undefined when it was refused; then the person knows why. */
  private async tell<T>(asked: Promise<T>): Promise<T | undefined> {
    try {
      return await asked;
    } catch (error) {
      this.refuse(asApiError(error));
      return undefined;
    }
  }

  private async confirm(title: string, body: string, label: string): Promise<boolean> {
    const { trans } = this.context;
    const answer = await showDialog({
      title,
      body,
      buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.warnButton({ label })]
    });
    return answer.button.accept;
  }
}

/** Says what happens to clusters without being asked: one stops soon, packages differ, a kernel lost its cluster. */
export function addNotices(
  context: Context,
  clusters: Clusters,
  attaching: Attaching,
  actions: Actions
): void {
  const { trans, commands } = context;
  clusters.draining.connect((_, cluster) => {
    Notification.warning(trans.__('%1 is idle and stops soon.', cluster.name), {
      autoClose: 10_000,
      actions: [
        {
          label: trans.__('Keep'),
          callback: () => void commands.execute(CommandIDs.keepCluster, { cluster: cluster.name })
        }
      ]
    });
  }, actions);
  attaching.compared.connect((_, { cluster, comparison }) => {
    if (comparison.equal) {
      Notification.success(comparison.words, { autoClose: SHORT });
    } else {
      Notification.warning(comparison.words, {
        autoClose: false,
        actions: [{ label: trans.__('Compare'), callback: () => void actions.show(cluster, comparison) }]
      });
    }
  }, actions);
  attaching.failed.connect((_, error) => actions.refuse(error), actions);
}
