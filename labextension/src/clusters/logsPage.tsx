/** The page of a cluster's logs: one tab for each kind of process, its end followed. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Check } from '../ui/fields';
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
        <div className="slipway-Page">
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
        view: () => <Log key={part} logs={logs} />
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

function Log({ logs }: { logs: ClusterLogs }): JSX.Element {
  const { trans } = useContext();
  const [follow, setFollow] = React.useState(true);
  const box = React.useRef<HTMLPreElement>(null);
  const { text, lines, cut } = logs.log;
  React.useEffect(() => {
    if (follow && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text, follow]);
  const onScroll = () => {
    const pre = box.current;
    if (pre) {
      setFollow(pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24);
    }
  };
  return (
    <div className="slipway-Log slipway-ClusterLog">
      <div className="slipway-Log-bar">
        <Check label={trans.__('Follow')} checked={follow} onChange={setFollow} />
        <span className="slipway-Dim" role="status">
          {logs.error?.status === 0 ? trans.__('Reconnecting…') : trans._n('%1 line', '%1 lines', lines)}
          {cut && ` · ${trans.__('the beginning of this long log is left out')}`}
        </span>
      </div>
      <pre ref={box} role="log" aria-live="off" aria-label={trans.__('Log')} tabIndex={0} onScroll={onScroll}>
        {text || trans.__('Nothing printed yet.')}
      </pre>
    </div>
  );
}
