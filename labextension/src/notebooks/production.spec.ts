import type { INotebookContent } from '@jupyterlab/nbformat';
import { describe, expect, it } from 'vitest';

import { withCode } from './production';

const prose = (source: string) => ({ cell_type: 'markdown', id: source, metadata: {}, source });
const code = (id: string, source: string) => ({
  cell_type: 'code',
  id,
  metadata: { tags: [id] },
  source,
  outputs: [],
  execution_count: null
});

function became(cells: object[], ...published: [number, string, string][]): string[] {
  const notebook = { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 } as unknown as INotebookContent;
  const made = withCode(
    notebook,
    published.map(([index, id, source]) => ({ index, id, source }))
  );
  return made.cells.map(cell => String(cell.source));
}

describe('a notebook with the code that was published', () => {
  it('keeps its prose where it stands', () => {
    const now = [prose('# A'), code('x', 'x = 2'), prose('## B'), code('y', 'y = 1'), prose('end')];
    expect(became(now, [0, 'x', 'x = 1'], [1, 'y', 'y = 1'])).toEqual([
      '# A',
      'x = 1',
      '## B',
      'y = 1',
      'end'
    ]);
  });

  it('has the cells of then in the order of then, and none that came since', () => {
    const now = [code('y', 'y = 1'), prose('## B'), code('new', 'z = 1'), code('x', 'x = 2')];
    expect(became(now, [1, 'y', 'y = 1'], [0, 'x', 'x = 1'], [2, 'gone', 'w = 1'])).toEqual([
      '## B',
      'x = 1',
      'y = 1',
      'w = 1'
    ]);
  });

  it('has none that was only run, and was not there any more', () => {
    expect(became([], [-1, 'ran', 'a = 1'], [0, 'x', 'x = 1'])).toEqual(['x = 1']);
  });
});
