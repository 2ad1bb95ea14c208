/** What an open notebook says of itself to the server. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { NotebookCell, PlanRequest } from '../api';

/** The code cells in the document's order. */
export function codeCells(panel: NotebookPanel): NotebookCell[] {
  const cells: NotebookCell[] = [];
  for (const model of panel.content.model?.cells ?? []) {
    if (model.type === 'code') {
      const name: unknown = (model as ICodeCellModel).getMetadata('name');
      cells.push({
        id: model.id,
        source: model.sharedModel.getSource(),
        name: typeof name === 'string' ? name : ''
      });
    }
  }
  return cells;
}

/** A request for the plan of one cell; `path` is the notebook's on the server. */
export function planRequest(panel: NotebookPanel, path: string, cell: string): PlanRequest {
  return {
    notebook: path,
    cells: codeCells(panel),
    cell,
    kernel: panel.sessionContext.session?.kernel?.id ?? null
  };
}
