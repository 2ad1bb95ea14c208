/** JupyterLab says of a file that it may only be read until it is opened anew, also when it was saved meanwhile. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Toolbar } from '@jupyterlab/ui-components';

const BADGE = 'read-only-indicator';

/** From here on, as long as it is open. */
export function unmarkWritten(app: JupyterFrontEnd, file: DocumentRegistry.Context): void {
  file.fileChanged.connect((_, { writable }) => {
    if (!writable) {
      return;
    }
    for (const widget of app.shell.widgets('main')) {
      const { context, toolbar } = widget as { context?: unknown; toolbar?: Toolbar };
      if (context === file && toolbar) {
        const at = [...toolbar.names()].indexOf(BADGE);
        [...toolbar.children()][at]?.dispose();
      }
    }
  });
}
