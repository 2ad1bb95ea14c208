/**
 * What is said of a save that is not all that was asked for.
 *
 * Whoever saves a shared document is not asked whether to overwrite what changed on disk or to load it: the server has
 * merged both, and writes only over what it has seen. The page knows what is on disk a moment later, or not at all.
 */
import { Notification } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import type { Context } from '../ui/context';
import { notice } from '../ui/notices';

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

/** A save, as we ask for it and are answered: where only outputs cannot be kept, the code is saved and we are told why. */
interface Asked extends Partial<Contents.IModel> {
  without_outputs: true;
}
interface Answered extends Contents.IModel {
  not_kept?: string;
}

/** Documents whose outputs are not kept. */
const lacking = new WeakMap<object, Lacking>();

/** That outputs are not kept is said once until they are, not in a dialog at each save; till then it is not all saved. */
export function tellOfOutputs(file: DocumentRegistry.Context, context: Context): void {
  const inner = file as unknown as Inner;
  const save = inner._maybeSave?.bind(file);
  if (!save) {
    return;
  }
  inner._maybeSave = async options => {
    const asked: Asked = { ...options, without_outputs: true };
    const model: Answered = await save(asked);
    const said = model.not_kept ?? '';
    if (said !== (lacking.get(file)?.said ?? '')) {
      lacking.get(file)?.over();
      lacking.delete(file);
      if (said && !file.isDisposed) {
        lacking.set(file, new Lacking(said, context));
      }
    }
    return model;
  };
  file.saveState.connect((_, state) => {
    if (state === 'completed' && lacking.has(file)) {
      file.model.dirty = true;
    }
  });
  file.disposed.connect(() => lacking.get(file)?.over());
}

class Lacking {
  private id = '';

  constructor(
    readonly said: string,
    private readonly context: Context
  ) {
    this.say();
  }

  /** Also to who has closed the notice. */
  say(): void {
    this.over();
    this.id = notice('error', this.said, this.context.trans);
  }

  over(): void {
    Notification.dismiss(this.id);
  }
}

/** Saves it, with its outputs. Why it could not be saved, has been said then. */
export function isSaved(document: {
  readonly context: Pick<DocumentRegistry.Context, 'save'>;
}): Promise<boolean> {
  return document.context.save().then(
    () => {
      lacking.get(document.context)?.say();
      return !lacking.has(document.context);
    },
    () => false
  );
}
