/** The status bar's item: how many clusters are up, and so cost something. */
import { TextItem } from '@jupyterlab/statusbar';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import type { Clusters } from './model';

export function statusItem(context: Context, clusters: Clusters): SlipwayWidget {
  const widget = new SlipwayWidget(context, () => <Item clusters={clusters} />);
  widget.addClass('jp-mod-highlighted');
  return widget;
}

function Item({ clusters }: { clusters: Clusters }): JSX.Element {
  const { trans, commands } = useContext();
  const open = () => void commands.execute(CommandIDs.open);
  return (
    <UseSignal signal={clusters.changed}>
      {() => (
        <TextItem
          role="button"
          tabIndex={0}
          onClick={open}
          onKeyDown={event => (event.key === 'Enter' || event.key === ' ') && open()}
          title={clusters.live.map(({ name }) => name).join(', ')}
          source={trans._n('%1 cluster', '%1 clusters', clusters.live.length)}
        />
      )}
    </UseSignal>
  );
}
