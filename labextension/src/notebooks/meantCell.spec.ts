import { describe, expect, it } from 'vitest';

import { meantCell } from './meantCell';
import { replacement } from './replacement';

const CELLS = ['month = 3', 'rate = 5', 'print()', 'print()'].map((source, index) => ({
  id: `c${index}`,
  source
}));

describe('the cell whose history was looked at', () => {
  it('is the one with its id, whatever it says by now', () => {
    expect(meantCell(CELLS, { cell: 'c1', was: 'rate = 2' })).toBe(1);
  });

  it('is the one that says what it said, where text has no ids', () => {
    expect(meantCell(CELLS, { cell: '1', was: 'rate = 5' })).toBe(1);
    expect(meantCell(CELLS.slice(1), { cell: '1', was: 'rate = 5' })).toBe(0);
    expect(meantCell(CELLS, { cell: '3', was: 'print()' })).toBe(3);
  });

  it('is no other that stands in its place', () => {
    expect(meantCell(CELLS.slice(1), { cell: '1', was: 'month = 3' })).toBe(-1);
    expect(meantCell(CELLS, { cell: '1', was: 'print()' })).toBe(-1);
    expect(meantCell(CELLS, { cell: 'gone', was: '' })).toBe(-1);
  });
});

describe('what to replace in a text', () => {
  it('is what differs', () => {
    expect(replacement('rate = 5  # bob', 'rate = 2  # bob')).toEqual({ start: 7, end: 8, text: '2' });
    expect(replacement('aa', 'aaa')).toEqual({ start: 2, end: 2, text: 'a' });
    expect(replacement('abcab', 'ab')).toEqual({ start: 2, end: 5, text: '' });
    expect(replacement('', 'x')).toEqual({ start: 0, end: 0, text: 'x' });
  });

  it('is no half of a character', () => {
    expect(replacement('a😀b', 'a😁b')).toEqual({ start: 1, end: 3, text: '😁' });
    expect(replacement('😀', '')).toEqual({ start: 0, end: 2, text: '' });
    // U+1F600 and U+2F600: the second half is the same.
    expect(replacement('a\ud83d\ude00', 'a\ud87d\ude00')).toEqual({ start: 1, end: 3, text: '\ud87d\ude00' });
    expect(replacement('😀😀', '😀')).toEqual({ start: 2, end: 4, text: '' });
  });
});
