/**
 * A kernel that is still starting when its notebook is renamed or converted would belong to the old path: a page that is
 * loaded again, and everybody else, would start a second.
 */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

/** From here on, as long as it is open. */
export function takeSessionAlong(file: DocumentRegistry.Context, contents: Contents.IManager): void {
  file.sessionContext.sessionChanged.connect((_, { newValue: session }) => {
    const path = contents.localPath(file.path);
    if (session && session.path !== path) {
      // It may be gone again: then there is nothing to take along.
      session.setPath(path).catch(() => undefined);
    }
  });
}
