/** What the panel adds to the application. */
import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import type { IStatusBar } from '@jupyterlab/statusbar';
import { refreshIcon } from '@jupyterlab/ui-components';
import type { Widget } from '@lumino/widgets';

import { slipwayIcon } from '../icons';
import { CommandIDs, PANEL_ID } from '../tokens';
import type { Context } from '../ui/context';
import { NOTHING } from '../ui/arguments';
import { Panel } from './panel';
import { statusItem } from './status';

export function addPanel(
  app: JupyterFrontEnd,
  context: Context,
  restorer: ILayoutRestorer | null,
  statusBar: IStatusBar | null,
  /** Each makes a section that stands above the jobs. */
  sections: readonly (() => Promise<Widget>)[]
): void {
  const { commands, trans, overview } = context;
  commands.addCommand(CommandIDs.open, {
    label: trans.__('Show Slipway'),
    caption: trans.__('Jobs and runs'),
    icon: slipwayIcon,
    describedBy: NOTHING,
    execute: () => app.shell.activateById(PANEL_ID)
  });
  commands.addCommand(CommandIDs.refresh, {
    label: trans.__('Refresh Jobs and Runs'),
    icon: refreshIcon,
    describedBy: NOTHING,
    execute: () => overview.refresh()
  });
  const panel = new Panel(context, sections);
  app.shell.add(panel, 'left', { rank: 350, type: 'Slipway' });
  restorer?.add(panel, PANEL_ID);
  statusBar?.registerStatusItem('slipway:runs', { item: statusItem(context), align: 'left', rank: 90 });
}
