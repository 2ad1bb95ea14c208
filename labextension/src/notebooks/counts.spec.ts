import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';
import { describe, expect, it } from 'vitest';

import { withoutCounts } from './counts';

const patch = (key: string | number, ...diff: object[]) => ({ op: 'patch', key, diff });
const count = { op: 'replace', key: 'execution_count', value: 2 };
const text = patch('text', { op: 'addrange', key: 0, valuelist: ['2\n'] });

function left(...diff: object[]): IDiffEntry[] {
  return withoutCounts(diff as unknown as IDiffEntry[]);
}

describe('how often a cell was run', () => {
  it('is no change of it, nor of what it shows', () => {
    expect(left(patch('cells', patch(0, count), patch(1, count, patch('outputs', patch(0, count)))))).toEqual(
      []
    );
  });

  it('leaves what else changed', () => {
    const outputs = patch('outputs', patch(0, count, text));
    expect(left(patch('cells', patch(0, count, outputs)), patch('metadata', count))).toEqual([
      patch('cells', patch(0, patch('outputs', patch(0, text)))),
      patch('metadata', count)
    ]);
  });

  it('is looked for where counts stand, not in what somebody wrote', () => {
    const written = patch('cells', patch(0, patch('metadata', count)), {
      op: 'removerange',
      key: 1,
      length: 1
    });
    expect(left(written)).toEqual([written]);
  });
});
