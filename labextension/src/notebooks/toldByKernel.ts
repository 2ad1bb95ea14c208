/**
 * JupyterLab takes what a kernel tells of itself, and its own place holders for that, for an edit: a notebook was unsaved
 * as soon as it was open, and closing asked whether to save it. Nobody typed anything.
 */
import type { YNotebook } from '@jupyter/ydoc';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookMetadata } from '@jupyterlab/nbformat';

/** To be called when it opens. With jupyter-collaboration the server says what is saved. */
export function takeNoKernelForAnEdit(file: DocumentRegistry.Context): void {
  if (file.model.collaborative) {
    return;
  }
  const notebook = file.model.sharedModel as YNotebook;
  const edit = notebook.updateMetadata.bind(notebook);
  notebook.updateMetadata = said => {
    const metadata = notebook.ymeta.get('metadata');
    const before = notebook.metadata?.kernelspec?.name ?? '';
    if (!metadata || !isTold(said, before, !file.path.endsWith('.ipynb'))) {
      edit(said);
      return;
    }
    // The same, but that it says nothing of being saved, and that no undo takes it back.
    notebook.transact(() => Object.entries(said).forEach(([key, value]) => metadata.set(key, value)), false);
  };
}

/**
 * How a kernel is called and what it speaks nobody chose. Which one it is, somebody did; but a text that names none keeps
 * its header, and there is nothing to save.
 */
function isTold(said: Partial<INotebookMetadata>, before: string, isText: boolean): boolean {
  const isSame = said.kernelspec?.name === before || (isText && !before);
  return Object.keys(said).every(key => key === 'language_info' || (key === 'kernelspec' && isSame));
}
