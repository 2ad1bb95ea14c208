/** The side panel: one toolbar, one banner when offline, an accordion section for each kind of thing. Its inside loads when it is first seen. */
import { CommandToolbarButton, SidePanel } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { AccordionPanel, Widget } from '@lumino/widgets';

import { slipwayIcon } from '../icons';
import { CommandIDs, PANEL_ID } from '../tokens';
import { type Context, SlipwayWidget } from '../ui/context';

export class Panel extends SidePanel {
  constructor(
    private readonly context: Context,
    private readonly first: readonly (() => Promise<Widget>)[]
  ) {
    super();
    const { commands, trans } = context;
    this.id = PANEL_ID;
    this.title.icon = slipwayIcon;
    this.title.caption = trans.__('Slipway: jobs and runs');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Slipway'));
    this.addClass('slipway-Panel');
    this.toolbar.node.setAttribute('aria-label', trans.__('Slipway'));
    const publish = new CommandToolbarButton({
      commands,
      id: CommandIDs.publish,
      label: trans.__('Publish cell')
    });
    const refresh = new CommandToolbarButton({ commands, id: CommandIDs.refresh, label: '' });
    this.toolbar.addItem('publish', publish);
    this.toolbar.addItem('refresh', refresh);
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this.isVisible) {
      this.look();
    }
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.context.overview.seen = false;
  }

  private look(): void {
    this.context.overview.seen = true;
    this.filled ??= this.fill();
  }

  private async fill(): Promise<void> {
    const { context } = this;
    const [{ jobsSection, Offline, runsSection }, ...first] = await Promise.all([
      import('./sections'),
      ...this.first.map(make => make())
    ]);
    if (!this.isDisposed) {
      this.header.addWidget(new SlipwayWidget(context, Offline));
      for (const section of first) {
        this.addWidget(section);
      }
      this.addWidget(jobsSection(context));
      this.addWidget(runsSection(context));
      (this.content as AccordionPanel).setRelativeSizes([...first.map(() => 1), 1, 1]);
    }
  }

  private filled: Promise<void> | null = null;
}
