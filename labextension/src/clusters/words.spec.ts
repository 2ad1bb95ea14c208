import { expect, it } from 'vitest';

import { aCluster } from '../testing/clusters';
import { trans } from '../testing/fake';
import { hourly, hourlyNow, money, secondsUntil, suggestedName, workersWords } from './words';

it.each([
  [{}, '2/4 workers'],
  [{ live_workers: 4 }, '4 workers'],
  [{ live_workers: 1, workers: { minimum: 1, maximum: 1 } }, '1 worker'],
  [{ state: 'stopped', live_workers: 0 }, '1–4 workers'],
  [{ state: 'stopped', live_workers: 0, workers: { minimum: 2, maximum: 2 } }, '2 workers'],
  [{ live_workers: 3, workers: { minimum: 0, maximum: 0 } }, '3 workers']
] as const)('says how many workers there are: %o', (change, words) => {
  expect(workersWords(aCluster(change), trans)).toBe(words);
});

it.each([
  [2.4, '$', '$2.40'],
  [2.4, 'EUR', '€2.40'],
  [12, 'credits', '12.00 credits'],
  [0.012, '$', '$0.012'],
  [3, '', '3.00']
])('says %s %s as %s', (amount, currency, words) => expect(money(amount, currency, 'en')).toBe(words));

it('says what an hour costs: of what may run, and of what runs', () => {
  expect(hourly(0.4, '$', { minimum: 1, maximum: 4 }, trans, 'en')).toBe('$0.40–$1.60/h');
  expect(hourly(0, '$', { minimum: 1, maximum: 4 }, trans, 'en')).toBe('');
  expect(hourlyNow(aCluster(), trans, 'en')).toBe('$0.80/h');
});

it('counts down in whole seconds, and not below none', () => {
  const now = Date.parse('2026-11-25T10:00:00Z');
  expect(secondsUntil('2026-11-25T10:00:07.400Z', now)).toBe(8);
  expect(secondsUntil('2026-11-25T09:59:00Z', now)).toBe(0);
});

it.each([
  ['a/Flights 2.ipynb', [], 'flights-2-dask'],
  ['a/flights.ipynb', ['flights-dask', 'flights-dask-2'], 'flights-dask-3'],
  ['2026.ipynb', [], 'dask'],
  ['', [], 'dask']
])('suggests a name that is free for %s', (notebook, taken, name) => {
  expect(suggestedName(notebook, 'dask', taken)).toBe(name);
});
