/** That a cell has run once more is no change of a notebook that a person looks for: without its count, in nbdime's diff. */
import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';

type Diff = readonly IDiffEntry[];

export function withoutCounts(diff: Diff): IDiffEntry[] {
  const ofOutputs = (outputs: Diff) => within(outputs, withoutCount);
  const ofCell = (cell: Diff) => withoutCount(within(cell, ofOutputs, 'outputs'));
  return within(diff, cells => within(cells, ofCell), 'cells');
}

function withoutCount(diff: Diff): IDiffEntry[] {
  return diff.filter(({ key }) => key !== 'execution_count');
}

/** With what `change` leaves of what is patched, at one key or at all; what it leaves nothing of goes. */
function within(diff: Diff, change: (inner: Diff) => IDiffEntry[], at?: string): IDiffEntry[] {
  return diff.flatMap(entry => {
    if (entry.op !== 'patch' || (at !== undefined && entry.key !== at)) {
      return [entry];
    }
    const inner = change(entry.diff ?? []);
    return inner.length ? [{ ...entry, diff: inner }] : [];
  });
}
