/** Clusters in words: states, sizes, costs. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Cluster, ClusterState, Workers } from '../api';
import { clock } from '../ui/format';
import { unreachable } from '../ui/unreachable';

export function clusterStateWords(state: ClusterState, trans: TranslationBundle): string {
  switch (state) {
    case 'stopped':
      return trans.__('Stopped');
    case 'starting':
      return trans.__('Starting');
    case 'running':
      return trans.__('Running');
    case 'draining':
      return trans.__('Idle');
    case 'stopping':
      return trans.__('Stopping');
    case 'failed':
      return trans.__('Failed');
    default:
      return unreachable(state);
  }
}

/** `No answer since 16:41.`; '' while it answers. */
export function silenceWords(cluster: Cluster, trans: TranslationBundle, locale: string): string {
  return cluster.silent_since
    ? trans.__('No answer since %1.', clock(new Date(cluster.silent_since), locale))
    : '';
}

/** Whether a state stays until somebody does something. */
export function isSettled(state: ClusterState): boolean {
  return state === 'stopped' || state === 'running' || state === 'failed';
}

/** Whether work can be sent to it. */
export function isUp(state: ClusterState): boolean {
  return state === 'running' || state === 'draining';
}

/** Whether it has workers to be counted: an address has those that it has, a Spark server of ours is one process. */
export function isScalable({ options }: Cluster): boolean {
  return 'workers' in options;
}

/** Whether it can be started. */
export function isDown(state: ClusterState): boolean {
  return state === 'stopped' || state === 'failed';
}

export function engineWords(engine: string): string {
  return engine.charAt(0).toUpperCase() + engine.slice(1);
}

/** `4 workers`, `1–4 workers`. */
export function wantedWords({ minimum, maximum }: Workers, trans: TranslationBundle): string {
  return minimum === maximum
    ? trans._n('%1 worker', '%1 workers', maximum)
    : trans.__('%1–%2 workers', minimum, maximum);
}

/** `4 workers` when all are there, `2/4 workers` when not, and what is wanted of one that does not run. */
export function workersWords(cluster: Cluster, trans: TranslationBundle): string {
  const { workers, live_workers: live } = cluster;
  if (!isUp(cluster.state) && cluster.state !== 'starting') {
    return wantedWords(workers, trans);
  }
  return workers.maximum === live || workers.maximum === 0
    ? trans._n('%1 worker', '%1 workers', live)
    : trans.__('%1/%2 workers', live, workers.maximum);
}

/** `$2.40` or `2.40 credits`; three capitals are a currency's code. */
export function money(amount: number, currency: string, locale: string): string {
  const digits = {
    minimumFractionDigits: 2,
    maximumFractionDigits: amount !== 0 && Math.abs(amount) < 0.1 ? 3 : 2
  };
  if (/^[A-Z]{3}$/.test(currency)) {
    return new Intl.NumberFormat(locale, { style: 'currency', currency, ...digits }).format(amount);
  }
  const figure = new Intl.NumberFormat(locale, digits).format(amount);
  return currency.length === 1 ? `${currency}${figure}` : `${figure} ${currency}`.trim();
}

/** What an hour of so many workers costs: `$2.40/h`, `$0.60–$2.40/h`; '' when nothing has a price. */
export function hourly(
  price: number,
  currency: string,
  { minimum, maximum }: Workers,
  trans: TranslationBundle,
  locale: string
): string {
  if (price === 0) {
    return '';
  }
  const most = money(price * maximum, currency, locale);
  return minimum === maximum
    ? trans.__('%1/h', most)
    : trans.__('%1–%2/h', money(price * minimum, currency, locale), most);
}

/** What it costs just now. */
export function hourlyNow(cluster: Cluster, trans: TranslationBundle, locale: string): string {
  const { live_workers: live, price, currency } = cluster;
  return isUp(cluster.state)
    ? hourly(price, currency, { minimum: live, maximum: live }, trans, locale)
    : hourly(price, currency, cluster.workers, trans, locale);
}

/** Whole seconds until a time, never below 0. */
export function secondsUntil(iso: string, now: number): number {
  return Math.max(0, Math.ceil((Date.parse(iso) - now) / 1000));
}

/** `flights-dask` for flights.ipynb, with a number behind it when that is taken. */
export function suggestedName(notebook: string, engine: string, taken: readonly string[]): string {
  const stem = notebook
    .split('/')
    .pop()!
    .replace(/\.\w+$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 40);
  const name = stem ? `${stem}-${engine}` : engine;
  for (let number = 1; ; number++) {
    const found = number === 1 ? name : `${name}-${number}`;
    if (!taken.includes(found)) {
      return found;
    }
  }
}
