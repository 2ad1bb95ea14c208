/**
 * A text in the editor stays the file that it is. JupyterLab lets it share the session of the notebook of its path, and go
 * where that goes: once the notebook is converted, into the JSON of the new one.
 */
import type { DocumentRegistry } from '@jupyterlab/docregistry';

/** To be called before it is read. With jupyter-collaboration the server says where a document goes. */
export function keepOwnPath({ model, sessionContext }: DocumentRegistry.Context): void {
  if (!model.collaborative) {
    sessionContext.kernelPreference = { ...sessionContext.kernelPreference, shouldReuse: false };
  }
}
