import { expect, it } from 'vitest';

import { trans } from '../testing/fake';
import { absolute, bytes, duration, initials, median, occasion, relative } from './format';

it.each([
  [512, '512 B'],
  [31 * 1024 ** 3, '31 GiB'],
  [34.06 * 1024 ** 3, '34.1 GiB']
])('says %s bytes as %s', (value, text) => expect(bytes(value)).toBe(text));

it.each([
  [0.04, '0 s'],
  [3.14, '3.1 s'],
  [9.96, '10 s'],
  [252, '4 min 12 s'],
  [7380, '2 h 3 min']
])('says %s seconds as %s', (value, text) => expect(duration(value)).toBe(text));

it.each([
  ['2026-11-21T03:00:00Z', '6 hours ago'],
  ['2026-11-21T14:00:00Z', 'in 5 hours'],
  ['2026-11-21T08:59:40Z', 'just now'],
  ['2026-11-21T09:00:30Z', 'in less than a minute'],
  ['2026-11-20T03:00:00Z', 'yesterday']
])('says %s as %s', (iso, words) => {
  expect(relative(iso, trans, 'en', Date.parse('2026-11-21T09:00:00Z'))).toBe(words);
});

it('says a time with its zone', () => {
  expect(absolute('2026-11-25T03:00:00Z', 'en-GB', 'UTC')).toBe('25 Nov 2026, 03:00:00 UTC');
});

it("says a schedule's next time in the schedule's own zone", () => {
  expect(occasion('2026-11-25T02:00:00Z', 'en-GB', 'Europe/Berlin')).toBe('Wed 25 Nov, 03:00');
  expect(occasion('2026-11-25T03:00:00+01:00', 'en-GB', 'Factory')).toBe('2026-11-25 03:00');
});

it.each([
  ['ana.souza', 'AS'],
  ['Ana Maria Souza', 'AS'],
  ['root', 'RO']
])('shortens %s to %s', (name, letters) => expect(initials(name)).toBe(letters));

it('takes the middle of figures', () => {
  expect([median([]), median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([null, 2, 2.5]);
});
