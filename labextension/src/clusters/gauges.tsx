/** What a running cluster does just now: its last two minutes as a line, and three bars with their figures. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Figures } from '../api';
import { useContext } from '../ui/context';
import { bytes, percent } from '../ui/format';
import { Meter } from '../ui/parts';
import type { LiveFigures } from './figures';

const WIDTH = 120;
const HEIGHT = 24;

export function Gauges(props: { cluster: string; figures: LiveFigures }): JSX.Element {
  const { cluster, figures } = props;
  React.useEffect(() => {
    const watching = figures.watch(cluster);
    return () => watching.dispose();
  }, [cluster, figures]);
  return <UseSignal signal={figures.changed}>{() => <Drawn series={figures.of(cluster)} />}</UseSignal>;
}

function Drawn({ series }: { series: readonly Figures[] }): JSX.Element {
  const { trans, locale } = useContext();
  const last = series[series.length - 1];
  if (!last) {
    return <div className="slipway-Gauges" aria-busy="true" />;
  }
  const all = last.done + last.tasks;
  const count = (value: number) => new Intl.NumberFormat(locale).format(value);
  return (
    <div className="slipway-Gauges">
      <Sparkline
        values={series.map(figures => figures.cpu)}
        label={trans.__('CPU of the last minutes, now %1', percent(last.cpu, locale))}
      />
      <Gauge name={trans.__('CPU')} value={last.cpu} text={percent(last.cpu, locale)} />
      <Gauge
        name={trans.__('Memory')}
        value={last.memory_limit ? last.memory / last.memory_limit : 0}
        text={memoryWords(last)}
      />
      <Gauge
        name={trans.__('Tasks')}
        value={all ? last.done / all : 0}
        text={`${count(last.done)}/${count(all)}`}
      />
    </div>
  );
}

/** `31/96 GiB`: both in the unit of the limit. */
function memoryWords({ memory, memory_limit: limit }: Figures): string {
  const [most, unit] = bytes(limit).split(' ');
  const share = (memory / limit) * Number(most);
  return limit ? `${share >= 10 ? Math.round(share) : share.toFixed(1)}/${most} ${unit}` : bytes(memory);
}

function Gauge(props: { name: string; value: number; text: string }): JSX.Element {
  return (
    <div className="slipway-Gauge">
      <span className="slipway-Dim" aria-hidden="true">
        {props.name}
      </span>
      <Meter label={props.name} value={props.value} text={props.text} />
    </div>
  );
}

/** A line of shares, 0 to 1, the newest at the right edge. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }): JSX.Element {
  const step = WIDTH / 59;
  const points = values.map((value, index) => {
    const x = WIDTH - (values.length - 1 - index) * step;
    const y = HEIGHT - 1 - Math.max(0, Math.min(1, value)) * (HEIGHT - 3);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  const first = (WIDTH - (values.length - 1) * step).toFixed(1);
  return (
    <svg
      className="slipway-Sparkline"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
    >
      <polygon points={`${first},${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />
      <polyline points={points.join(' ')} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
