import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';
import { createPatchStringDiffModel } from 'nbdime/lib/diff/model';
import { describe, expect, it } from 'vitest';

import { keepWithinLines } from './lastLine';

keepWithinLines();

const added = (key: number, valuelist: unknown) => ({ op: 'addrange', key, valuelist });
const removed = (key: number, length: number) => ({ op: 'removerange', key, length });
const within = (key: number, diff: object) => ({ op: 'patch', key, diff: [diff] });

/** The lines, from and to, that differ: before and after. */
function differing(before: string, ...diff: object[]): number[][] {
  const model = createPatchStringDiffModel(before, diff as unknown as IDiffEntry[]);
  return model.getLineChunks().map(one => [one.baseFrom, one.baseTo, one.remoteFrom, one.remoteTo]);
}

describe('a difference behind the last line', () => {
  it('begins with the last line, which both sides have', () => {
    expect(differing('# A', within(0, added(3, '\n')), added(1, ['\n', 'B']))).toEqual([[0, 1, 0, 3]]);
    expect(differing('# A\n\nB', within(0, removed(3, 1)), removed(1, 2))).toEqual([[0, 3, 0, 1]]);
  });

  it('is one with the difference that it then touches', () => {
    const chunks = differing('x\na\n', within(1, added(0, 'b')), removed(2, 0), added(2, ['\n']));
    expect(chunks.every(([from, to]) => from < 3 && to <= 3)).toBe(true);
  });

  it('leaves others where they are', () => {
    expect(differing('a\nb', within(0, added(1, '!')))).toEqual([[0, 1, 0, 1]]);
  });
});
