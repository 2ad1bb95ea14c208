import { describe, expect, it } from 'vitest';

import { trans } from '../testing/fake';
import { parsed, shown } from './values';

describe('a text that is a value', () => {
  it.each([
    ['int', '', ' 42 ', 42],
    ['float', '', '1e-3', 0.001],
    ['str', '', ' as typed ', ' as typed '],
    ['bool', '', 'false', false],
    ['date', '', '2026-11-25', '2026-11-25'],
    ['datetime', '', '2026-11-25 03:00', '2026-11-25T03:00'],
    ['list', 'int', '1, 2,3', [1, 2, 3]],
    ['list', 'int', '', []],
    ['list', 'str', '["a, b"]', ['a, b']],
    ['list', '', '[1, "a"]', [1, 'a']],
    ['dict', '', '{"a": 1}', { a: 1 }]
  ] as const)('%s %s: %s', (type, item, text, value) => {
    expect(parsed(text, { type, item }, trans)).toEqual({ ok: true, value });
  });
});

describe('a text that is none', () => {
  it.each([
    ['int', '', '4.5', '‘4.5’ is not a whole number.'],
    ['int', '', '', 'A value is needed.'],
    ['bool', '', ' ', 'A value is needed.'],
    [
      'int',
      '',
      '99999999999999999999',
      '‘99999999999999999999’ has more digits than a browser can keep: give it on the command line.'
    ],
    ['float', '', 'x', '‘x’ is not a number.'],
    ['date', '', '2026-13-01', '‘2026-13-01’ is not a date such as 2026-11-25.'],
    ['list', 'int', '1, b', '‘b’ is not a whole number.'],
    ['list', '', '{"a": 1}', '‘{"a": 1}’ is not a list such as [1, 2].'],
    ['dict', '', '[1]', '‘[1]’ is not a mapping such as {"a": 1}.']
  ] as const)('%s %s: %s', (type, item, text, problem) => {
    expect(parsed(text, { type, item }, trans)).toEqual({ ok: false, problem });
  });
});

it.each([
  [[1, 2], { type: 'list', item: 'int' }, '1, 2'],
  [[1, 'a'], { type: 'list' }, '[1,"a"]'],
  [['a', 'b'], { type: 'list', item: 'str' }, 'a, b'],
  [['a, b', 'c'], { type: 'list', item: 'str' }, '["a, b","c"]'],
  [[''], { type: 'list', item: 'str' }, '[""]'],
  [true, { type: 'bool' }, 'true'],
  [null, { type: 'str' }, '']
] as const)('shows %j as text', (value, type, text) => expect(shown(value, type)).toBe(text));

it('may be nothing where the default is', () => {
  expect(parsed('', { type: 'int', default: null }, trans)).toEqual({ ok: true, value: null });
});
