/** What an open notebook says of itself to the server. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { IOutput } from '@jupyterlab/nbformat';
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

/** Characters of what a cell printed that are sent, at its end. */
const PRINTED_END = 200_000;

/** Characters of a chart's specification that are sent. */
const CHART_LIMIT = 1_000_000;

/**
 * What the cell shows and prints, for the proof to compare. Pictures go without their bytes: that there is one counts.
 * Charts go with their specification, unless it is large.
 */
function shown(panel: NotebookPanel, cell: string): Record<string, unknown>[] {
  for (const model of panel.content.model?.cells ?? []) {
    if (model.id === cell && model.type === 'code') {
      return (model as ICodeCellModel).outputs
        .toJSON()
        .map(output => compared(output))
        .filter(output => output !== null);
    }
  }
  return [];
}

function compared(output: IOutput): Record<string, unknown> | null {
  switch (output.output_type) {
    case 'display_data':
      return {
        output_type: output.output_type,
        data: Object.fromEntries(
          Object.entries(output.data ?? {}).map(([mime, data]) => [mime, isCompared(mime, data) ? data : ''])
        )
      };
    case 'stream': {
      const text = Array.isArray(output.text) ? output.text.join('') : String(output.text);
      return { output_type: 'stream', name: output.name, text: text.slice(-PRINTED_END) };
    }
    default:
      return null;
  }
}

function isCompared(mime: string, data: unknown): boolean {
  return (
    mime === 'text/plain' ||
    (mime.startsWith('application/vnd.vega') && JSON.stringify(data).length <= CHART_LIMIT)
  );
}

/** A request for the plan of one cell; `path` is the notebook's on the server. */
export function planRequest(panel: NotebookPanel, path: string, cell: string): PlanRequest {
  return {
    notebook: path,
    cells: codeCells(panel),
    cell,
    outputs: shown(panel, cell),
    kernel: panel.sessionContext.session?.kernel?.id ?? null
  };
}
