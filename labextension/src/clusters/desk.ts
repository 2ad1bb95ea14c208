/** All of the clusters' front end that works while the page is open, made when it is first needed. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IStatusBar } from '@jupyterlab/statusbar';

import { Clusters as ClusterRequests } from '../api/clusters';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget } from '../ui/context';
import { Actions, addNotices } from './actions';
import { Attaching } from './attaching';
import { CellBars } from './cellBar';
import { Chip } from './chip';
import { Dashboard } from './dashboard';
import { LogsView } from './logsPage';
import { Clusters } from './model';
import { ClustersSection } from './section';
import { statusItem } from './status';
import { isUp } from './words';
import { NotebookWork } from './work';

export class ClusterDesk {
  constructor(
    app: JupyterFrontEnd,
    private readonly context: Context,
    notebooks: INotebookTracker,
    statusBar: IStatusBar | null
  ) {
    const { api, overview, trans } = context;
    api.clusters = new ClusterRequests(api.server);
    this.clusters = new Clusters(api, overview);
    this.attaching = new Attaching(api, this.clusters, app.serviceManager.contents, notebooks, trans);
    this.actions = new Actions(context, this.clusters, this.attaching, notebooks, panel =>
      this.works.get(panel)
    );
    addNotices(context, this.clusters, this.attaching, this.actions);
    context.commands.commandExecuted.connect((_, { id }) => {
      if (id === CommandIDs.refresh) {
        void this.clusters.refresh();
      }
    }, this);
    statusBar?.registerStatusItem('slipway:clusters', {
      item: statusItem(context, this.clusters),
      align: 'left',
      rank: 89,
      isActive: () => this.clusters.live.length > 0,
      activeStateChanged: this.clusters.changed
    });
    // Each running Dask cluster has a kernelspec: the launcher shows it now, not at its next minute.
    let near = '';
    this.clusters.changed.connect(() => {
      const now = this.clusters.live
        .filter(({ state }) => isUp(state))
        .map(({ name }) => name)
        .join();
      if (now !== near) {
        near = now;
        void app.serviceManager.kernelspecs.refreshSpecs().catch(() => undefined);
      }
    }, this);
    this.clusters.start();
  }

  readonly clusters: Clusters;
  readonly actions: Actions;

  section(): ClustersSection {
    return new ClustersSection(this.context, this.clusters);
  }

  /** The chip of a notebook's toolbar; with it come the bars under its cells. */
  chip(panel: NotebookPanel): Chip {
    const { context, clusters, attaching } = this;
    return new Chip(context, { panel, clusters, attaching, work: this.workOf(panel) });
  }

  logs(cluster: string): SlipwayWidget {
    return new LogsView(this.context, this.clusters, cluster);
  }

  dashboard(cluster: string): SlipwayWidget {
    return new SlipwayWidget(this.context, () => Dashboard({ cluster, clusters: this.clusters }));
  }

  private workOf(panel: NotebookPanel): NotebookWork {
    const known = this.works.get(panel);
    if (known) {
      return known;
    }
    const work = new NotebookWork(this.context.api, this.attaching, panel);
    const bars = new CellBars(this.context, panel, work);
    this.works.set(panel, work);
    panel.disposed.connect(() => {
      this.works.delete(panel);
      bars.dispose();
      work.dispose();
    });
    return work;
  }

  private readonly attaching: Attaching;
  private readonly works = new Map<NotebookPanel, NotebookWork>();
}
