/** What a comparison shows, in order: stretches of unchanged cells, and what changed between them. Pure. */

/** As nbdime tells it of a cell. */
export interface Told {
  readonly unchanged: boolean;
  readonly added: boolean;
  readonly deleted: boolean;
}

export type Kind = 'same' | 'changed' | 'added' | 'removed';

export interface Numbered<C> {
  cell: C;
  /** Counted from 1, in the notebook that has it; in the newer one when both have. */
  number: number;
  kind: Kind;
}

export type Item<C> =
  | { same: true; cells: Numbered<C>[] }
  | { same: false; removed: Numbered<C>[]; added: Numbered<C>[]; changed: Numbered<C>[] };

export interface Counts {
  changed: number;
  added: number;
  removed: number;
  same: number;
}

/**
 * @param chunks cells that stand at one place, as nbdime groups them: one that stayed, or those that came and went
 */
export function items<C extends Told>(chunks: readonly C[][]): { items: Item<C>[]; counts: Counts } {
  const made: Item<C>[] = [];
  const counts: Counts = { changed: 0, added: 0, removed: 0, same: 0 };
  let older = 0;
  let newer = 0;
  const numbered = (cell: C): Numbered<C> => {
    const kind = cell.added ? 'added' : cell.deleted ? 'removed' : cell.unchanged ? 'same' : 'changed';
    counts[kind]++;
    older += cell.added ? 0 : 1;
    newer += cell.deleted ? 0 : 1;
    return { cell, kind, number: cell.deleted ? older : newer };
  };
  for (const chunk of chunks) {
    const cells = chunk.map(numbered);
    const last = made[made.length - 1];
    if (cells.every(one => one.kind === 'same')) {
      if (last?.same) {
        last.cells.push(...cells);
      } else if (cells.length) {
        made.push({ same: true, cells });
      }
    } else {
      const of = (kind: Kind) => cells.filter(one => one.kind === kind);
      made.push({ same: false, removed: of('removed'), added: of('added'), changed: of('changed') });
    }
  }
  return { items: made, counts };
}
