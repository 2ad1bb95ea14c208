/** Files that are open in the text editor go on with what changed on disk. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISharedFile } from '@jupyter/ydoc';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Contents } from '@jupyterlab/services';

import type { FollowedText as Answer } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { FollowedFile } from './followedFile';
import { giveWayToNotebook } from './goneText';
import { unmarkWritten } from './readOnly';
import { markTextReadOnly, type ShownText } from './rights';
import { tellOfRooms, whyNotSaved } from './rooms';
import { saveUnasked } from './saving';
import { explainUnreadable } from './unreadable';

/** How a context ends lines when it saves; it has no public name. */
interface Ended {
  _lineEnding?: string | null;
}

/** Of one file: it may be open in several editors. */
const followed = new WeakSet<DocumentRegistry.Context>();

/** Follows a file from here on, as long as it is open. */
export async function followText(
  app: JupyterFrontEnd,
  context: Context,
  file: DocumentRegistry.Context,
  shown: ShownText
): Promise<void> {
  void markTextReadOnly(context, shown, app.serviceManager.serverSettings);
  tellOfRooms(app, context);
  explainUnreadable(app, context, file, false);
  if (followed.has(file)) {
    return;
  }
  followed.add(file);
  await file.ready;
  if (file.isDisposed) {
    return;
  }
  unmarkWritten(app, file);
  if (file.model.collaborative) {
    saveUnasked(file, () => whyNotSaved(app, context, file.path));
    giveWayToNotebook(app, context, file);
  } else {
    new FollowedText(context, file, app.serviceManager.contents).watch();
  }
}

export class FollowedText extends FollowedFile<string, Answer> {
  protected readonly kind = 'file';

  protected state(): string {
    return this.file.model.toString();
  }

  protected content(): Contents.IModel['content'] {
    return this.state().replace(/\n/g, (this.file as Ended)._lineEnding ?? '\n');
  }

  protected same(a: string, b: string): boolean {
    return a === b;
  }

  protected ask(path: string, base: string, mine: string): Promise<Answer> {
    return comparing(this.context.api).followText({ path, base, mine });
  }

  protected use(answer: Answer): string {
    const text = this.file.model.sharedModel as ISharedFile;
    text.transact(() => {
      for (const { start, end, text: said } of answer.edits) {
        text.updateSource(start, end, said);
      }
    }, true);
    (this.file as Ended)._lineEnding = answer.newline === '\n' ? null : answer.newline;
    return answer.base;
  }

  /** A text becomes no notebook. */
  protected async succeed(path: string): Promise<void> {
    this.sayConverted(path);
  }

  protected get conflict(): string {
    return this.context.trans.__('Both are kept, between marks.');
  }
}
