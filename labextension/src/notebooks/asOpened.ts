/** What documents held before anybody could type in them: who follows their files is loaded a moment later. */
import type { ISharedFile, ISharedNotebook } from '@jupyter/ydoc';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import type { CellInputs } from '../api';

const opened = new WeakMap<DocumentRegistry.Context, unknown>();

/** To be called when it opens. */
export function noteAsOpened(file: DocumentRegistry.Context): void {
  void file.ready.then(() => {
    if (!file.isDisposed && !file.model.collaborative) {
      const shared = file.model.sharedModel as ISharedNotebook | ISharedFile;
      opened.set(file, 'cells' in shared ? inputsOf(shared) : shared.getSource());
    }
  });
}

/** What it held, told once; undefined when that was not noted. */
export function asOpened(file: DocumentRegistry.Context): unknown {
  const state = opened.get(file);
  opened.delete(file);
  return state;
}

export function inputsOf(notebook: ISharedNotebook): CellInputs[] {
  return notebook.cells.map(cell => ({ id: cell.getId(), cell_type: cell.cell_type, source: cell.source }));
}
