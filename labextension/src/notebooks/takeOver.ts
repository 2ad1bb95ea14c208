/** A notebook's cells made what the server says, in place: cursors, selections and undo stay with what is unchanged. */
import type { ISharedCodeCell, ISharedNotebook, SharedCell } from '@jupyter/ydoc';
import type { IOutput } from '@jupyterlab/nbformat';
import { JSONExt, type PartialJSONValue } from '@lumino/coreutils';

import type { FollowedCell } from '../api';

const OURS = 'slipway';

/** One change, which can be undone like any other. */
export function takeOver(notebook: ISharedNotebook, wanted: readonly FollowedCell[]): void {
  notebook.transact(() => {
    const staying = rising(wanted);
    const moved = new Map<number, SharedCell.Cell>();
    for (const cell of wanted) {
      if (cell.mine !== null) {
        change(notebook, cell.mine, cell);
        if (!staying.has(cell.mine)) {
          moved.set(cell.mine, notebook.cells[cell.mine].toJSON() as SharedCell.Cell);
        }
      }
    }
    for (let index = notebook.cells.length - 1; index >= 0; index--) {
      if (!staying.has(index)) {
        notebook.deleteCell(index);
      }
    }
    wanted.forEach((cell, index) => {
      if (cell.mine === null || !staying.has(cell.mine)) {
        const made = cell.mine === null ? cell.cell : moved.get(cell.mine);
        notebook.insertCell(index, made as SharedCell.Cell);
      }
    });
  }, true);
}

function change(notebook: ISharedNotebook, index: number, wanted: FollowedCell): void {
  const cell = notebook.cells[index];
  for (const { start, end, text } of wanted.edits) {
    cell.updateSource(start, end, text);
  }
  if (cell.cell_type === 'code' && wanted.cell) {
    const code = cell as ISharedCodeCell;
    const outputs = (wanted.cell.outputs ?? []) as IOutput[];
    if (!JSONExt.deepEqual(code.getOutputs() as PartialJSONValue, outputs as PartialJSONValue)) {
      code.setOutputs(outputs);
      code.execution_count = (wanted.cell.execution_count as number | null | undefined) ?? null;
    }
  }
  if (cell.cell_type === 'code') {
    remark(cell as ISharedCodeCell, wanted);
  }
}

/** Whether what it shows is of an earlier source; of what was not saved the server does not know what it is. */
function remark(cell: ISharedCodeCell, wanted: FollowedCell): void {
  const had = cell.getMetadata(OURS) as { of: string } | undefined;
  let mark = wanted.mark;
  if (!wanted.cell) {
    const isBack = had?.of === wanted.now;
    if (!isBack && (wanted.edits.length === 0 || cell.getOutputs().length === 0)) {
      return;
    }
    const of = had?.of ?? wanted.was;
    mark = of === wanted.now ? null : (had ?? { stale: '', of });
  }
  if (mark) {
    cell.setMetadata(OURS, mark as PartialJSONValue);
  } else if (had) {
    cell.deleteMetadata(OURS);
  }
}

/** Which cells of the page need not move: the longest run of places that rises. */
function rising(wanted: readonly FollowedCell[]): Set<number> {
  const ends: number[] = [];
  const before = new Map<number, number | undefined>();
  for (const { mine } of wanted) {
    if (mine === null) {
      continue;
    }
    let place = ends.findIndex(end => end > mine);
    place = place < 0 ? ends.length : place;
    before.set(mine, ends[place - 1]);
    ends[place] = mine;
  }
  const found = new Set<number>();
  for (let at = ends.at(-1); at !== undefined; at = before.get(at)) {
    found.add(at);
  }
  return found;
}
