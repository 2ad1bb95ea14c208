/**
 * Whoever saves a shared document is not asked whether to overwrite what changed on disk or to load it: the server has
 * merged both, and writes only over what it has seen. The page knows what is on disk a moment later, or not at all.
 */
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

/** What of a document's context has no public name: without it, JupyterLab asks as it always did. */
interface Inner {
  _updateContentsModel?: (model: Contents.IModel) => void;
  _maybeSave?: (options: Partial<Contents.IModel>) => Promise<Contents.IModel>;
  _raiseConflict?: (model: Contents.IModel, options: Partial<Contents.IModel>) => Promise<Contents.IModel>;
}

/** `why`: what the server said of saving it last; a refused save itself says only that it failed. */
export function saveUnasked(file: DocumentRegistry.Context, why: () => string | undefined): void {
  const inner = file as unknown as Inner;
  if (inner._updateContentsModel && inner._maybeSave && inner._raiseConflict) {
    inner._raiseConflict = (onDisk, options) => {
      inner._updateContentsModel!(onDisk);
      return inner._maybeSave!(options);
    };
    const save = inner._maybeSave.bind(file);
    inner._maybeSave = options =>
      save(options).catch((error: unknown) => {
        const said = why();
        throw said ? new Error(said) : error;
      });
  }
}

/** Saves it. Why it could not be saved, JupyterLab has said then. */
export function isSaved(document: {
  readonly context: Pick<DocumentRegistry.Context, 'save'>;
}): Promise<boolean> {
  return document.context.save().then(
    () => true,
    () => false
  );
}
