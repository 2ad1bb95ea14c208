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

/** What the cell displays, for the proof to look for. Pictures go without their bytes: only that there is one counts. */
function displayed(panel: NotebookPanel, cell: string): Record<string, unknown>[] {
  for (const model of panel.content.model?.cells ?? []) {
    if (model.id === cell && model.type === 'code') {
      return (model as ICodeCellModel).outputs
        .toJSON()
        .filter(output => output.output_type === 'display_data')
        .map(output => ({
          output_type: output.output_type,
          data: Object.fromEntries(
            Object.entries(output.data ?? {}).map(([mime, data]) => [mime, mime === 'text/plain' ? data : ''])
          )
        }));
    }
  }
  return [];
}

/** A request for the plan of one cell; `path` is the notebook's on the server. */
export function planRequest(panel: NotebookPanel, path: string, cell: string): PlanRequest {
  return {
    notebook: path,
    cells: codeCells(panel),
    cell,
    outputs: displayed(panel, cell),
    kernel: panel.sessionContext.session?.kernel?.id ?? null
  };
}
