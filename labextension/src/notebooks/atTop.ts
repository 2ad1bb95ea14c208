/** A bar of ours at the top of a cell. */
import type { Cell } from '@jupyterlab/cells';

/** A cell that was not seen yet has nothing in it: what it is made of then comes before a bar that was there first. */
export function putAtTop(cell: Cell, bar: HTMLElement): void {
  cell.node.prepend(bar);
  if (cell.isPlaceholder()) {
    void cell.ready.then(() => bar.parentElement === cell.node && cell.node.prepend(bar));
  }
}
