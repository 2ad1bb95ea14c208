/** What clusters add to the application. Only names are known at start; the rest is imported when it is first seen. */
import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { type ICommandPalette, type IToolbarWidgetRegistry, WidgetTracker } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IStatusBar } from '@jupyterlab/statusbar';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { PanelLayout, Widget } from '@lumino/widgets';

import { slipwayIcon } from '../icons';
import { Page } from '../pages';
import { CommandIDs } from '../tokens';
import { NOTHING } from '../ui/arguments';
import type { Context, SlipwayWidget } from '../ui/context';
import { A_CLUSTER, A_NEW_CLUSTER } from './arguments';
import type { ClusterDesk } from './desk';

type Arguments = ReadonlyPartialJSONObject;
type Act = (desk: ClusterDesk, args: Arguments) => Promise<void>;

/** Returns what makes the panel's section. */
export function addClusters(
  app: JupyterFrontEnd,
  context: Context,
  notebooks: INotebookTracker,
  toolbars: IToolbarWidgetRegistry | null,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null,
  statusBar: IStatusBar | null
): () => Promise<Widget> {
  let made: Promise<ClusterDesk> | null = null;
  const desk = () =>
    (made ??= import('./desk').then(
      ({ ClusterDesk }) => new ClusterDesk(app, context, notebooks, statusBar)
    ));
  addCommands(app, context, notebooks, desk, palette);
  addPages(app, context, desk, restorer, palette);
  toolbars?.addFactory<NotebookPanel>('Notebook', 'slipway-cluster', panel => chipHost(panel, desk));
  return async () => (await desk()).section();
}

function addCommands(
  app: JupyterFrontEnd,
  { commands, trans }: Context,
  notebooks: INotebookTracker,
  desk: () => Promise<ClusterDesk>,
  palette: ICommandPalette | null
): void {
  const category = trans.__('Slipway');
  const open = () => notebooks.currentWidget !== null;
  const add = (
    id: string,
    label: string,
    act: Act,
    options: { describedBy?: object; enabled?: () => boolean } = {}
  ) => {
    commands.addCommand(id, {
      label: args => String(args.label ?? label),
      describedBy: options.describedBy ?? A_CLUSTER,
      isEnabled: options.enabled,
      isToggled: id === CommandIDs.attachCluster ? args => args.current === true : undefined,
      execute: async args => act(await desk(), args)
    });
    palette?.addItem({ command: id, category });
  };
  add(CommandIDs.newCluster, trans.__('New Cluster…'), (to, args) => to.actions.create(args), {
    describedBy: A_NEW_CLUSTER
  });
  add(CommandIDs.attachCluster, trans.__('Attach Notebook to Cluster…'), (to, args) =>
    to.actions.attach(args)
  );
  add(CommandIDs.detachCluster, trans.__('Detach Notebook from Cluster'), to => to.actions.detach(), {
    describedBy: NOTHING,
    enabled: open
  });
  add(CommandIDs.startCluster, trans.__('Start Cluster…'), (to, args) => to.actions.start(args));
  add(CommandIDs.stopCluster, trans.__('Stop Cluster…'), (to, args) => to.actions.stop(args));
  add(CommandIDs.keepCluster, trans.__('Keep Idle Cluster'), (to, args) => to.actions.keep(args));
  add(CommandIDs.scaleCluster, trans.__('Scale Cluster…'), (to, args) => to.actions.scale(args));
  add(CommandIDs.deleteCluster, trans.__('Delete Cluster…'), (to, args) => to.actions.remove(args));
  add(CommandIDs.comparePackages, trans.__('Compare Packages with Cluster'), to => to.actions.compare(), {
    describedBy: NOTHING,
    enabled: open
  });
  add(CommandIDs.cancelWork, trans.__("Cancel Cell's Work on Cluster"), to => to.actions.cancelWork(), {
    describedBy: NOTHING,
    enabled: open
  });
  notebooks.currentChanged.connect(() => {
    for (const id of [CommandIDs.detachCluster, CommandIDs.comparePackages, CommandIDs.cancelWork]) {
      commands.notifyCommandChanged(id);
    }
  }, app);
}

/** Logs and dashboards, each in a tab of its own that a reload brings back. */
function addPages(
  app: JupyterFrontEnd,
  { commands, trans }: Context,
  desk: () => Promise<ClusterDesk>,
  restorer: ILayoutRestorer | null,
  palette: ICommandPalette | null
): void {
  const tracker = new WidgetTracker<Page>({ namespace: 'slipway-clusters' });
  const add = (
    command: string,
    label: string,
    title: (cluster: string) => string,
    view: (to: ClusterDesk, cluster: string) => SlipwayWidget
  ) => {
    commands.addCommand(command, {
      label: args => String(args.label ?? label),
      describedBy: A_CLUSTER,
      execute: async args => {
        const to = await desk();
        const cluster = await to.actions.choose(args, label, () => true);
        if (!cluster) {
          return;
        }
        const id = `${command}-${cluster}`;
        if (!tracker.find(page => page.id === id)) {
          const page = new Page(view(to, cluster), command, { cluster });
          page.id = id;
          page.title.label = title(cluster);
          page.title.icon = slipwayIcon;
          page.title.closable = true;
          app.shell.add(page, 'main', { type: 'Slipway' });
          await tracker.add(page);
        }
        app.shell.activateById(id);
      }
    });
    palette?.addItem({ command, category: trans.__('Slipway') });
  };
  add(
    CommandIDs.openClusterLogs,
    trans.__('Open Cluster Logs…'),
    cluster => trans.__('Logs: %1', cluster),
    (to, cluster) => to.logs(cluster)
  );
  add(
    CommandIDs.openDashboard,
    trans.__('Open Cluster Dashboard…'),
    cluster => trans.__('Dashboard: %1', cluster),
    (to, cluster) => to.dashboard(cluster)
  );
  commands.addCommand(CommandIDs.openClusterPage, {
    label: trans.__('Open Cluster Page'),
    describedBy: A_CLUSTER,
    execute: args => {
      const own: string[] = [CommandIDs.openClusterLogs, CommandIDs.openDashboard];
      if (own.includes(String(args.command))) {
        void commands.execute(String(args.command), (args.args ?? {}) as Arguments);
      }
    }
  });
  void restorer?.restore(tracker, {
    command: CommandIDs.openClusterPage,
    args: page => ({ command: page.command, args: page.args }),
    name: page => page.id
  });
}

/** A place in the toolbar, filled when the chip's code has come. */
function chipHost(panel: NotebookPanel, desk: () => Promise<ClusterDesk>): Widget {
  const host = new Widget();
  const layout = (host.layout = new PanelLayout());
  host.addClass('slipway-ChipPlace');
  void desk().then(to => {
    if (!host.isDisposed) {
      layout.addWidget(to.chip(panel));
    }
  });
  return host;
}
