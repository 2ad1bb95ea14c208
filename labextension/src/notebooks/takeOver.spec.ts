import { type YCodeCell, YNotebook } from '@jupyter/ydoc';
import { describe, expect, it } from 'vitest';

import type { FollowedCell } from '../api';
import { takeOver } from './takeOver';

function notebook(...sources: string[]): YNotebook {
  const made = new YNotebook();
  made.insertCells(
    0,
    sources.map(source => ({ cell_type: 'code' as const, source, metadata: {}, outputs: [] }))
  );
  return made;
}

function kept(mine: number, ...edits: FollowedCell['edits']): FollowedCell {
  return { mine, edits, cell: null, mark: null, was: 'old', now: 'new' };
}

function made(source: string): FollowedCell {
  return {
    mine: null,
    edits: [],
    cell: { cell_type: 'code', source, metadata: {}, outputs: [] },
    mark: null,
    was: '',
    now: ''
  };
}

const sources = (of: YNotebook) => of.cells.map(cell => cell.source);

describe('taking over what changed on disk', () => {
  it('leaves cells that stay what they are, and edits them in place', () => {
    const open = notebook('a = 1', 'b = 2', 'c = 3');
    const before = [...open.cells];

    takeOver(open, [kept(0, { start: 4, end: 5, text: '10' }), made('new'), kept(2)]);

    expect(sources(open)).toEqual(['a = 10', 'new', 'c = 3']);
    expect([open.cells[0], open.cells[2]]).toEqual([before[0], before[2]]);
  });

  it('moves as few cells as can be', () => {
    const open = notebook('a', 'b', 'c', 'd');
    const [, b, c, d] = open.cells;

    takeOver(open, [kept(1), kept(2), kept(3), kept(0, { start: 1, end: 1, text: '!' })]);

    expect(sources(open)).toEqual(['b', 'c', 'd', 'a!']);
    expect(open.cells.slice(0, 3)).toEqual([b, c, d]);
  });

  it('says of what ran here, and was not saved, that it is of an earlier source, and not once that is back', () => {
    const open = notebook('a', 'b');
    (open.cells[0] as YCodeCell).setOutputs([{ output_type: 'stream', name: 'stdout', text: 'ran' }]);
    const marks = () => open.cells.map(cell => cell.getMetadata('slipway'));
    const edit = { start: 0, end: 1, text: 'c' };

    takeOver(open, [kept(0, edit), kept(1, edit)]);
    expect(marks()).toEqual([{ stale: '', of: 'old' }, undefined]);

    takeOver(open, [{ ...kept(0, edit), was: 'new', now: 'newer' }, kept(1)]);
    expect(marks()).toEqual([{ stale: '', of: 'old' }, undefined]);

    takeOver(open, [{ ...kept(0, edit), was: 'newer', now: 'old' }, kept(1)]);
    expect(marks()).toEqual([undefined, undefined]);
  });

  it('says it no more of a cell whose source was typed back here', () => {
    const open = notebook('a', 'b');
    for (const cell of open.cells as YCodeCell[]) {
      cell.setOutputs([{ output_type: 'stream', name: 'stdout', text: 'ran' }]);
      cell.setMetadata('slipway', { stale: '', of: 'old' });
    }

    takeOver(open, [{ ...kept(0), was: 'old', now: 'old' }, kept(1)]);

    expect(open.cells.map(cell => cell.getMetadata('slipway'))).toEqual([
      undefined,
      { stale: '', of: 'old' }
    ]);
  });

  it('shows what a cell gave elsewhere', () => {
    const open = notebook('a');
    const output = { output_type: 'stream' as const, name: 'stdout', text: 'ran' };

    takeOver(open, [{ ...kept(0), cell: { outputs: [output], execution_count: 3 } }]);

    expect(open.cells[0].toJSON()).toMatchObject({ outputs: [output], execution_count: 3 });
  });

  it('is one change that can be undone', () => {
    const open = notebook('a', 'b');
    open.clearUndoHistory();

    takeOver(open, [kept(1, { start: 0, end: 0, text: 'x' }), made('new')]);
    open.undo();

    expect(sources(open)).toEqual(['a', 'b']);
  });
});
