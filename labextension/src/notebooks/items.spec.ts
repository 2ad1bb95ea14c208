import { describe, expect, it } from 'vitest';

import { items } from './items';

const same = { unchanged: true, added: false, deleted: false };
const changed = { unchanged: false, added: false, deleted: false };
const added = { unchanged: false, added: true, deleted: false };
const removed = { unchanged: false, added: false, deleted: true };

describe('what a comparison shows', () => {
  it('joins unchanged cells that follow each other', () => {
    const found = items([[same], [same], [changed], [same]]);
    expect(found.items.map(item => (item.same ? item.cells.length : 'changes'))).toEqual([2, 'changes', 1]);
    expect(found.counts).toEqual({ same: 3, changed: 1, added: 0, removed: 0 });
  });

  it('numbers each cell in the notebook that has it', () => {
    const found = items([[removed], [same], [removed, added, added], [changed]]);
    const numbers = found.items.map(item =>
      item.same
        ? item.cells.map(one => one.number)
        : [item.removed, item.added, item.changed].map(cells => cells.map(one => one.number))
    );
    expect(numbers).toEqual([[[1], [], []], [1], [[3], [2, 3], []], [[], [], [4]]]);
  });

  it('is nothing of nothing', () => {
    expect(items([])).toEqual({ items: [], counts: { same: 0, changed: 0, added: 0, removed: 0 } });
  });
});
