/** Publishing a cell from the notebook: the command, the observation of kernels, the badges. */
import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import { publishIcon } from '../icons';
import { CommandIDs } from '../tokens';
import { A_NAME } from '../ui/arguments';
import type { Context } from '../ui/context';
import { Observing } from './observe';
import { planRequest } from './request';

/** How long a message that something went well stays. */
const SHORT = 6_000;

export function addPublishing(
  context: Context,
  notebooks: INotebookTracker,
  contents: Contents.IManager
): void {
  const { commands, trans, overview } = context;
  commands.addCommand(CommandIDs.publish, {
    label: args => String(args.label ?? trans.__('Publish Cell as Job…')),
    caption: trans.__('Publish this cell as a job'),
    icon: publishIcon,
    describedBy: A_NAME,
    isEnabled: () => notebooks.activeCell?.model.type === 'code',
    execute: async args => {
      const cell = notebooks.activeCell;
      const panel = notebooks.currentWidget;
      if (!cell || !panel) {
        return;
      }
      const inNotebook = panel.node.contains(document.activeElement);
      const { askPublish } = await import('./dialog');
      const path = contents.localPath(panel.context.path);
      const known = overview.jobs?.find(
        job =>
          [cell.model.id, cell.model.getMetadata('name')].includes(job.cell) &&
          overview.pathOf(job.notebook) === path
      );
      const name = typeof args.job === 'string' ? args.job : (known?.name ?? '');
      const request = { ...planRequest(panel, path, cell.model.id), name };
      const published = await askPublish(context, request);
      if (published) {
        const { job, run } = published;
        overview.announce({ kind: 'job', id: job.name });
        Notification.success(published.message, {
          autoClose: SHORT,
          actions: [
            {
              label: trans.__('Open job'),
              callback: () => void commands.execute(CommandIDs.openJob, { job: job.name })
            }
          ]
        });
        if (run) {
          void commands.execute(CommandIDs.openRun, { run: run.id });
        }
      }
      // From elsewhere, such as the panel, the dialog itself gives the focus back.
      if (inNotebook) {
        panel.content.activate();
      }
    }
  });
  const enabled = () => commands.notifyCommandChanged(CommandIDs.publish);
  notebooks.currentChanged.connect(enabled, context);
  notebooks.activeCellChanged.connect(enabled, context);
  new Observing(context.api, notebooks);
  watchForBadges(context, notebooks, contents);
}

/** The badges' code is loaded when a notebook with a published cell is open. */
function watchForBadges(context: Context, notebooks: INotebookTracker, contents: Contents.IManager): void {
  const { overview } = context;
  const published = () => {
    const open = new Set<string>();
    notebooks.forEach(panel => open.add(contents.localPath(panel.context.path)));
    return (overview.jobs ?? []).some(job => open.has(overview.pathOf(job.notebook) ?? ''));
  };
  const look = () => {
    if (published()) {
      overview.changed.disconnect(look, context);
      notebooks.widgetAdded.disconnect(look, context);
      void import('./badges').then(({ Badges }) => new Badges(context, notebooks, contents));
    }
  };
  overview.changed.connect(look, context);
  notebooks.widgetAdded.connect(look, context);
}
