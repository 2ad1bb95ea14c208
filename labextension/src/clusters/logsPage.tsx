/** The page of a cluster's logs: one tab for each kind of process, its end followed. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Log } from '../ui/log';
import { Empty, Problem, Skeleton } from '../ui/parts';
import { Tabs } from '../ui/tabs';
import '../../style/parts.css';
import '../../style/pages.css';
import '../../style/clusters.css';
import { ClusterLogs } from './logs';
import type { Clusters } from './model';
import { ClusterStateMark } from './state';

export class LogsView extends SlipwayWidget {
  constructor(context: Context, clusters: Clusters, cluster: string) {
    const logs = new ClusterLogs(context.api, cluster);
    super(context, () => <LogsPage logs={logs} clusters={clusters} />);
    this.logs = logs;
    logs.start();
  }

  dispose(): void {
    this.logs.dispose();
    super.dispose();
  }

  private readonly logs: ClusterLogs;
}

export function LogsPage(props: { logs: ClusterLogs; clusters: Clusters }): JSX.Element {
  const { logs, clusters } = props;
  return (
    <UseSignal signal={logs.changed}>
      {() => (
        <div className="slipway-Page slipway-ClusterLogs">
          <UseSignal signal={clusters.changed}>
            {() => {
              const cluster = clusters.find(logs.cluster);
              return (
                <div className="slipway-Head-title">
                  <h2>{logs.cluster}</h2>
                  {cluster && <ClusterStateMark cluster={cluster} />}
                  {cluster?.reason && <span className="slipway-Dim">{cluster.reason}</span>}
                </div>
              );
            }}
          </UseSignal>
          {logs.error && <Problem error={logs.error} retry={() => void logs.refresh()} />}
          <Parts logs={logs} />
        </div>
      )}
    </UseSignal>
  );
}

function Parts({ logs }: { logs: ClusterLogs }): JSX.Element {
  const { trans } = useContext();
  if (!logs.parts) {
    return logs.error ? <></> : <Skeleton lines={6} />;
  }
  if (!logs.parts.length) {
    return <Empty>{trans.__('%1 has no logs yet: they begin when it is started.', logs.cluster)}</Empty>;
  }
  return (
    <Tabs
      label={trans.__('Logs of %1', logs.cluster)}
      current={logs.part}
      onChange={part => logs.show(part)}
      tabs={logs.parts.map(part => ({
        id: part,
        label: partWords(part, trans),
        view: () => (
          <Log
            key={part}
            log={logs.log}
            live
            away={logs.error?.status === 0}
            omitted={logs.log.cut ? trans.__('the beginning of this long log is left out') : ''}
            empty={trans.__('Nothing printed yet.')}
            file={`${logs.cluster}-${part}.log`}
          />
        )
      }))}
    />
  );
}

function partWords(part: string, trans: Context['trans']): string {
  const words: Record<string, string> = {
    scheduler: trans.__('Scheduler'),
    workers: trans.__('Workers'),
    driver: trans.__('Driver'),
    host: trans.__('Host')
  };
  return words[part] ?? part;
}
