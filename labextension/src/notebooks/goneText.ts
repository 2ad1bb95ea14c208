/** A text that is open together with others became an .ipynb: whoever types on in it would type into its JSON. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { CodeEditor } from '@jupyterlab/codeeditor';
import { PathExt } from '@jupyterlab/coreutils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Widget } from '@lumino/widgets';

import type { Context } from '../ui/context';
import { replacement } from './replacement';

type Editing = Widget & { content: { editor: CodeEditor.IEditor } };

/** From here on, as long as it is open: its editors give way to the notebook. */
export function giveWayToNotebook(
  app: JupyterFrontEnd,
  context: Context,
  file: DocumentRegistry.Context
): void {
  const { commands, trans } = context;
  let path = file.path;
  file.pathChanged.connect(async (_, now) => {
    const was = path;
    path = now;
    if (PathExt.extname(was) === '.ipynb' || PathExt.extname(now) !== '.ipynb') {
      return;
    }
    // They still show the text that it was: the server tells of the path first.
    const text = String(file.model);
    const held = editing(app, file).map(editor => {
      return { editor, at: editor.content.editor.getCursorPosition(), typed: hold(editor) };
    });
    for (const { editor, at, typed } of held) {
      const isTypedIn = editor === app.shell.currentWidget;
      const options = { ref: editor.id, mode: 'tab-after', activate: false };
      const asked = { path: now, factory: 'Notebook', options };
      const panel = (await commands.execute('docmanager:open', asked)) as NotebookPanel | undefined;
      await panel?.context.ready;
      if (panel && isTypedIn) {
        await goOn(app, panel, text, at, typed);
      }
      editor.dispose();
    }
    const [old, made] = [PathExt.basename(was), PathExt.basename(now)];
    Notification.info(
      trans.__('%1 is %2 now. Its text was open here; it goes on as a notebook.', old, made),
      {
        autoClose: 8_000
      }
    );
  });
}

function editing(app: JupyterFrontEnd, file: DocumentRegistry.Context): Editing[] {
  const shown = [...app.shell.widgets('main')] as (Editing & { context?: unknown })[];
  return shown.filter(({ context, content }) => context === file && content.editor);
}

/** Nothing is typed there any more. Returns what would have been, as it comes. */
function hold({ node, content }: Editing): string[] {
  const typed: string[] = [];
  content.editor.setOption('readOnly', true);
  node.addEventListener('keydown', ({ key, altKey, ctrlKey, metaKey }) => {
    if (altKey || ctrlKey || metaKey) {
      return;
    }
    if (key === 'Backspace') {
      typed.pop();
    } else if (key === 'Enter' || key.length === 1) {
      typed.push(key === 'Enter' ? '\n' : key);
    }
  });
  return typed;
}

/** Whoever types is in the same word of the notebook, not where each letter is a command. */
async function goOn(
  app: JupyterFrontEnd,
  panel: NotebookPanel,
  text: string,
  at: CodeEditor.IPosition,
  typed: readonly string[]
): Promise<void> {
  const { content } = panel;
  const place = placeIn(
    content.widgets.map(({ model }) => model.sharedModel.getSource()),
    text,
    at
  );
  if (place) {
    content.activeCellIndex = place.cell;
    content.mode = 'edit';
  }
  app.shell.activateById(panel.id);
  if (!place) {
    return;
  }
  await content.scrollToItem(place.cell, 'smart');
  const cell = content.widgets[place.cell];
  await cell.ready;
  cell.editor?.setCursorPosition(place.at);
  cell.editor?.focus();
  cell.editor?.replaceSelection?.(typed.join(''));
}

/** Where in cells of these sources a place of their text is; the end of the nearest line above where it is in none. */
export function placeIn(
  sources: readonly string[],
  text: string,
  at: CodeEditor.IPosition
): { cell: number; at: CodeEditor.IPosition } | null {
  const lines = text.split('\n');
  const there = sources
    .flatMap((source, cell) => source.split('\n').map((line, row) => ({ cell, row, line })))
    .filter(({ line }) => line);
  for (let row = at.line; row >= 0; row--) {
    const said = lines[row];
    const nth = lines.slice(0, row).filter(line => line === said).length;
    let found = there.filter(({ line }) => line === said || line === bare(said))[nth];
    if (!found && row === at.line) {
      // The last letters may be on their way to the cells.
      found = there
        .filter(({ line }) => isMoreOf(said, line) || isMoreOf(bare(said), line))
        .sort((a, b) => b.line.length - a.line.length)[0];
    }
    if (found) {
      const { length } = found.line;
      const isCode = found.line === said || isMoreOf(said, found.line);
      const before = isCode ? 0 : said.length - bare(said).length;
      const column = row === at.line ? at.column - before : length;
      return { cell: found.cell, at: { line: found.row, column: Math.min(Math.max(0, column), length) } };
    }
  }
  return null;
}

/** Prose stands in comments, in the text of a script. */
function bare(line: string): string {
  return line.replace(/^# ?/, '');
}

/** Whether a line is another with something put into it, at one place. */
function isMoreOf(line: string, other: string): boolean {
  const { start, end, text } = replacement(other, line);
  return start === end && text.length < line.length;
}
