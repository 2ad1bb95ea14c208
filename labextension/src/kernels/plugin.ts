/** What shared kernels add to the application. Only names are known at start; the rest comes with the first notebook. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISessionContextDialogs, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { type INotebookCellExecutor, type NotebookPanel, runCell } from '@jupyterlab/notebook';
import { PanelLayout, Widget } from '@lumino/widgets';

import { CommandIDs } from '../tokens';
import { NOTHING } from '../ui/arguments';
import type { Context } from '../ui/context';
import type { KernelDesk } from './desk';

export function addKernels(
  app: JupyterFrontEnd,
  context: Context,
  toolbars: IToolbarWidgetRegistry | null,
  dialogs: ISessionContextDialogs | null,
  executor: INotebookCellExecutor | null
): void {
  const shared = PageConfig.getOption('slipwaySharedKernels') === 'true';
  let made: Promise<KernelDesk> | null = null;
  const desk = () =>
    (made ??= import('./desk').then(
      ({ KernelDesk }) => new KernelDesk(app, context, dialogs),
      error => {
        made = null; // the server may be there again at the next try
        throw error;
      }
    ));
  toolbars?.addFactory<NotebookPanel>('Notebook', 'slipway-people', panel => {
    const place = new Widget();
    place.layout = new PanelLayout();
    place.addClass('slipway-PeoplePlace');
    if (shared) {
      void desk().then(to => !place.isDisposed && to.follow(panel, place));
    }
    return place;
  });
  context.commands.addCommand(CommandIDs.openKernel, {
    label: context.trans.__('Show Shared Kernel'),
    caption: shared
      ? context.trans.__('Who is here, what runs and what waits')
      : context.trans.__('Kernels are not shared: %1', PageConfig.getOption('slipwayKernelsNotShared')),
    isEnabled: () => shared,
    describedBy: NOTHING,
    execute: () => app.shell.currentWidget?.node.querySelector<HTMLElement>('.slipway-PeopleButton')?.click()
  });
  // JupyterLab's own is frozen; jupyter-collaboration's asks the server.
  if (executor && !Object.isFrozen(executor) && PageConfig.getOption('serverSideExecution') === 'true') {
    executor.runCell = async options => {
      const loaded = await desk().catch(() => null);
      return loaded ? loaded.executor.runCell(options) : runCell(options);
    };
  }
}
