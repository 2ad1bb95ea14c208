/** What the server says of documents that are open here together with others: jupyter-collaboration only logs it. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { Event } from '@jupyterlab/services';

import { asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';
import { notice } from '../ui/notices';

export const SESSIONS = 'https://schema.jupyter.org/jupyter_collaboration/session/v1';

/** Pages that are told already. */
const told = new WeakMap<Context, RoomNotices>();

/** From here on, what went wrong is said until it is over, and what was kept that was to go is said once. */
export function tellOfRooms(app: JupyterFrontEnd, context: Context): void {
  if (!told.has(context)) {
    const notices = new RoomNotices(context, path => isOpen(app, path));
    told.set(context, notices);
    app.serviceManager.events.stream.connect((_, event) => notices.hear(event));
  }
}

/** Why a document that is open here is not saved; undefined when it is, or nothing was said. */
export function whyNotSaved(app: JupyterFrontEnd, context: Context, path: string): string | undefined {
  return told.get(context)?.whyNotSaved(app.serviceManager.contents.localPath(path));
}

export class RoomNotices {
  constructor(
    private readonly context: Context,
    private readonly isOpen: (path: string) => boolean
  ) {}

  hear(event: Event.Emission): void {
    if (event.schema_id !== SESSIONS) {
      return;
    }
    const [path, said] = [String(event.path ?? ''), String(event.msg ?? '')];
    if (event.level === 'ERROR') {
      // It is tried again every few seconds: said anew only when it is something else.
      if (this.wrong.get(path)?.said !== said && this.isOpen(path)) {
        this.over(path);
        this.wrong.set(path, { said, id: notice('error', said, this.context.trans) });
      }
    } else if (event.action === 'save') {
      this.over(path);
    } else if (event.action === 'overwrite' && said && this.isOpen(path)) {
      Notification.warning(said, { autoClose: 8_000 });
    } else if (event.action === 'load' && said.startsWith(path) && this.isOpen(path)) {
      const callback = () =>
        void this.undo(path).catch(error => notice('error', asApiError(error).text, this.context.trans));
      const actions = [
        {
          label: this.context.trans.__('Undo'),
          caption: this.context.trans.__('Take back what changed on disk; what was typed stays'),
          callback
        }
      ];
      Notification.dismiss(this.offered.get(path) ?? '');
      this.offered.set(path, Notification.warning(said, { autoClose: 20_000, actions }));
    }
  }

  whyNotSaved(path: string): string | undefined {
    return this.wrong.get(path)?.said;
  }

  private over(path: string): void {
    const shown = this.wrong.get(path);
    if (shown) {
      Notification.dismiss(shown.id);
      this.wrong.delete(path);
    }
  }

  private undo(path: string): Promise<void> {
    return comparing(this.context.api).undoMerge(path);
  }

  /** By path. */
  private readonly wrong = new Map<string, { said: string; id: string }>();
  /** By path, the notice that offers to take back what the disk changed: it takes back the last change only. */
  private readonly offered = new Map<string, string>();
}

function isOpen(app: JupyterFrontEnd, path: string): boolean {
  const { contents } = app.serviceManager;
  for (const widget of app.shell.widgets('main')) {
    const opened = (widget as { context?: { path?: string } }).context?.path;
    if (opened !== undefined && contents.localPath(opened) === path) {
      return true;
    }
  }
  return false;
}
