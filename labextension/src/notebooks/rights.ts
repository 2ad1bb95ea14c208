/** Who may only read is told so, and cannot type what would be dropped. */
import type { Cell } from '@jupyterlab/cells';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import { URLExt } from '@jupyterlab/coreutils';
import type { DocumentWidget } from '@jupyterlab/docregistry';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ServerConnection } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';

import type { Context } from '../ui/context';

import '../../style/texts.css';

/** A file in JupyterLab's text editor. */
export type ShownText = DocumentWidget<Widget & { editor: CodeEditor.IEditor }>;

/** Marks shared notebooks of a person who may not write. */
export async function markReadOnly(
  context: Context,
  notebooks: INotebookTracker,
  settings: ServerConnection.ISettings
): Promise<void> {
  if (await mayWrite(settings)) {
    return;
  }
  notebooks.widgetAdded.connect((_, panel) => mark(context, panel));
  notebooks.forEach(panel => mark(context, panel));
}

/** Marks a text of a person who may not write, in one of its editors. */
export async function markTextReadOnly(
  context: Context,
  shown: ShownText,
  settings: ServerConnection.ISettings
): Promise<void> {
  if ((await mayWrite(settings)) || shown.isDisposed) {
    return;
  }
  shown.contentHeader.addWidget(noteOf(context.trans.__('You may read this file, not change it.')));
  shown.content.editor.setOption('readOnly', true);
}

/** What servers answered: each text that is opened asks. */
const answers = new WeakMap<ServerConnection.ISettings, boolean>();

/** Whether the server lets this person change files. Not knowing, it is for the server to refuse. */
export async function mayWrite(settings: ServerConnection.ISettings): Promise<boolean> {
  const known = answers.get(settings);
  if (known !== undefined) {
    return known;
  }
  const asked = encodeURIComponent(JSON.stringify({ contents: ['write'] }));
  const url = `${URLExt.join(settings.baseUrl, 'api/me')}?permissions=${asked}`;
  try {
    const response = await ServerConnection.makeRequest(url, {}, settings);
    const told = (await response.json()) as { permissions?: { contents?: string[] } };
    const answer = told.permissions?.contents?.includes('write');
    if (answer !== undefined) {
      answers.set(settings, answer);
    }
    return answer ?? true;
  } catch {
    return true;
  }
}

function noteOf(said: string): Widget {
  const note = new Widget();
  note.addClass('slipway-ReadOnly');
  note.node.setAttribute('role', 'note');
  note.node.textContent = said;
  return note;
}

function mark(context: Context, panel: NotebookPanel): void {
  panel.contentHeader.addWidget(noteOf(context.trans.__('You may read this notebook, not change it.')));
  const seen = new WeakSet<Cell>();
  const look = () => {
    for (const cell of panel.content.widgets) {
      if (!seen.has(cell)) {
        seen.add(cell);
        cell.readOnly = true;
      }
    }
  };
  void panel.revealed.then(() => {
    look();
    panel.content.modelContentChanged.connect(look);
  });
}
