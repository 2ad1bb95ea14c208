/** A cluster's own dashboard in a tab, reached through the server's proxy. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Button, Empty } from '../ui/parts';
import '../../style/clusters.css';
import type { Clusters } from './model';
import { clusterStateWords, isDown, isUp } from './words';

/** Foreign code: it may not act as the person whose page shows it. The server's ticket is its way in. */
const SANDBOX = 'allow-scripts allow-forms allow-popups allow-downloads';

export function Dashboard(props: { cluster: string; clusters: Clusters }): JSX.Element {
  const { trans, api, commands } = useContext();
  const { cluster: name, clusters } = props;
  const address = api.clusters.dashboard(name);
  return (
    <UseSignal signal={clusters.changed}>
      {() => {
        const cluster = clusters.find(name);
        if (cluster && !isUp(cluster.state)) {
          return (
            <Empty
              action={
                isDown(cluster.state) ? (
                  <Button onClick={() => void commands.execute(CommandIDs.startCluster, { cluster: name })}>
                    {trans.__('Start %1', name)}
                  </Button>
                ) : undefined
              }
            >
              {trans.__(
                '%1: %2. Its dashboard is there while it runs.',
                name,
                clusterStateWords(cluster.state, trans)
              )}
            </Empty>
          );
        }
        return (
          <div className="slipway-Dashboard">
            <div className="slipway-Dashboard-bar">
              <span>{trans.__('Dashboard of %1', name)}</span>
              <a href={address} target="_blank" rel="noopener">
                {trans.__('Open in browser')}
              </a>
            </div>
            <iframe title={trans.__('Dashboard of %1', name)} src={address} sandbox={SANDBOX} />
          </div>
        );
      }}
    </UseSignal>
  );
}
