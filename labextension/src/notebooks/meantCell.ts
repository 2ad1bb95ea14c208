/** Which cell of an open notebook is meant by what was known of it when its history was asked for. */

export interface CellThere {
  id: string;
  source: string;
}

/** What is known of it; text keeps no ids. */
export interface Meant {
  /** Its id, else its index in the saved notebook. */
  cell: string;
  /** What it said there. */
  was: string;
}

/** Its index, or -1: others may have moved it, removed it or changed it since, and no other cell is to be taken for it. */
export function meantCell(cells: readonly CellThere[], { cell, was }: Meant): number {
  const known = cells.findIndex(one => one.id === cell);
  if (known >= 0) {
    return known;
  }
  const saying = [...cells.keys()].filter(index => cells[index].source === was);
  const atItsPlace = saying.find(index => String(index) === cell);
  return atItsPlace ?? (saying.length === 1 ? saying[0] : -1);
}
