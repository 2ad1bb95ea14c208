import type { NotebookPanel } from '@jupyterlab/notebook';
import { expect, it } from 'vitest';

import { planRequest } from './request';

const VEGA = 'application/vnd.vegalite.v5+json';

/** A notebook of one cell that shows this. */
function showing(...outputs: unknown[]): NotebookPanel {
  const cell = {
    id: 'c0',
    type: 'code',
    sharedModel: { getSource: () => 'chart' },
    getMetadata: () => undefined,
    outputs: { toJSON: () => outputs }
  };
  return {
    content: { model: { cells: [cell] } },
    sessionContext: { session: null }
  } as unknown as NotebookPanel;
}

const display = (data: Record<string, unknown>) => ({ output_type: 'display_data', data, metadata: {} });

it('sends of what a cell shows the texts and charts, and that there is a picture', () => {
  const panel = showing(display({ [VEGA]: { mark: 'bar' }, 'image/png': 'AAAA', 'text/plain': '<chart>' }));

  expect(planRequest(panel, 'a.ipynb', 'c0').outputs).toEqual([
    {
      output_type: 'display_data',
      data: { [VEGA]: { mark: 'bar' }, 'image/png': '', 'text/plain': '<chart>' }
    }
  ]);
});

it('sends no chart that is very large', () => {
  const panel = showing(display({ [VEGA]: { data: 'x'.repeat(1_000_001) }, 'text/plain': '<chart>' }));

  expect(planRequest(panel, 'a.ipynb', 'c0').outputs).toEqual([
    { output_type: 'display_data', data: { [VEGA]: '', 'text/plain': '<chart>' } }
  ]);
});
