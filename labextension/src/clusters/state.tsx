/** A cluster's state, in words beside its colour, with what is being waited for. */
import * as React from 'react';

import type { Cluster } from '../api';
import { useContext } from '../ui/context';
import { percent } from '../ui/format';
import { Button, Meter } from '../ui/parts';
import { unreachable } from '../ui/unreachable';
import { clusterStateWords, secondsUntil, silenceWords } from './words';

export function ClusterStateMark({ cluster }: { cluster: Cluster }): JSX.Element {
  const { trans } = useContext();
  return (
    <span className="slipway-Pill" data-state={cluster.state}>
      {clusterStateWords(cluster.state, trans)}
    </span>
  );
}

/** What is being waited for, why it failed, or when it stops; nothing when there is nothing to say. */
export function Situation(props: { cluster: Cluster; keep: () => void }): JSX.Element | null {
  const { trans, locale } = useContext();
  const { cluster, keep } = props;
  switch (cluster.state) {
    case 'starting':
    case 'stopping': {
      const waiting = cluster.waiting
        ? trans.__('Waiting: %1', cluster.waiting)
        : cluster.state === 'starting'
          ? trans.__('Waiting for it to start')
          : trans.__('Ending its processes');
      return cluster.progress === null ? (
        <span className="slipway-Dim" role="status">
          {waiting}
        </span>
      ) : (
        <span className="slipway-Cluster-waiting" role="status">
          <span className="slipway-Dim">{waiting}</span>
          <Meter label={waiting} value={cluster.progress} text={percent(cluster.progress, locale)} />
        </span>
      );
    }
    case 'draining':
      return <Countdown at={cluster.stops_at} keep={keep} name={cluster.name} />;
    case 'failed':
      return (
        <span className="slipway-Cluster-reason" role="status">
          {cluster.reason || trans.__('It ended without saying why: see its logs.')}
        </span>
      );
    case 'stopped':
      return cluster.reason ? <span className="slipway-Dim">{cluster.reason}</span> : null;
    case 'running':
      return cluster.silent_since ? (
        <span className="slipway-Cluster-reason" role="status">
          {[silenceWords(cluster, trans, locale), cluster.waiting && trans.__('Waiting: %1', cluster.waiting)]
            .filter(Boolean)
            .join(' ')}
        </span>
      ) : null;
    default:
      return unreachable(cluster.state);
  }
}

/** 'Stops in 8 s', and the one click that keeps it. */
function Countdown(props: { at: string | null; keep: () => void; name: string }): JSX.Element {
  const { trans } = useContext();
  const left = useSecondsUntil(props.at);
  return (
    <span className="slipway-Cluster-countdown">
      <span>{left === null ? trans.__('Stops soon') : trans.__('Stops in %1 s', left)}</span>
      <Button onClick={props.keep} title={trans.__('Keep %1 running', props.name)}>
        {trans.__('Keep')}
      </Button>
    </span>
  );
}

function useSecondsUntil(iso: string | null): number | null {
  const [now, setNow] = React.useState(() => Date.now());
  React.useEffect(() => {
    const ticking = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(ticking);
  }, []);
  return iso === null ? null : secondsUntil(iso, now);
}
