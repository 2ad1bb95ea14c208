/** The status bar's item: how many runs live, and whether the server is there. */
import { TextItem } from '@jupyterlab/statusbar';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';

function Item(): JSX.Element {
  const { overview, trans, commands } = useContext();
  const open = () => void commands.execute(CommandIDs.open);
  return (
    <UseSignal signal={overview.changed}>
      {() => {
        const live = overview.live.length;
        const text = overview.error ? trans.__('Slipway: offline') : trans._n('%1 run', '%1 runs', live);
        return (
          <TextItem
            role="button"
            tabIndex={0}
            onClick={open}
            onKeyDown={event => (event.key === 'Enter' || event.key === ' ') && open()}
            title={trans.__('Runs that wait or are carried out: open the Slipway panel')}
            source={text}
          />
        );
      }}
    </UseSignal>
  );
}

export function statusItem(context: Context): SlipwayWidget {
  const widget = new SlipwayWidget(context, Item);
  widget.addClass('jp-mod-highlighted');
  return widget;
}
