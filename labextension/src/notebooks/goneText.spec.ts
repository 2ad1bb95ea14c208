import { describe, expect, it } from 'vitest';

import { placeIn } from './goneText';

const TEXT = '# %% [markdown]\n# # Sums\n\n# %%\nx = 1\ny = 2\n\n# %%\nx = 1\n';
const SOURCES = ['# Sums', 'x = 1\ny = 2', 'x = 1'];

describe('a place in the text of a notebook', () => {
  it.each([
    ['in code', { line: 5, column: 3 }, { cell: 1, at: { line: 1, column: 3 } }],
    ['in a line that stands there twice', { line: 8, column: 5 }, { cell: 2, at: { line: 0, column: 5 } }],
    [
      'in a line of which the cell has less yet',
      { line: 5, column: 5 },
      { cell: 1, at: { line: 1, column: 3 } },
      ['y =']
    ],
    ['in prose', { line: 1, column: 8 }, { cell: 0, at: { line: 0, column: 6 } }],
    ['between two cells', { line: 6, column: 0 }, { cell: 1, at: { line: 1, column: 5 } }],
    ['before all cells', { line: 0, column: 2 }, null]
  ])('is found in its cell: %s', (_, at, place, less = ['y = 2']) => {
    const sources = SOURCES.map(source => source.replace('y = 2', less[0]));

    expect(placeIn(sources, TEXT, at)).toEqual(place);
  });
});
