/** Text notebooks: making a new one, turning one into the other kind, and marking outputs of an earlier source. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { notebookIcon } from '@jupyterlab/ui-components';

import { CommandIDs } from '../tokens';
import { NOTHING } from '../ui/arguments';
import type { Context } from '../ui/context';
import { formatOfTexts, type TextFormat } from './textFormat';

const SUFFIX: Record<TextFormat, string> = {
  percent: '.py:percent',
  myst: '.md:myst',
  markdown: '.md:markdown'
};

/** The commands are known at start; what they do, and the marks, are loaded with the first notebook or call. */
export function addTextNotebooks(
  app: JupyterFrontEnd,
  context: Context,
  notebooks: INotebookTracker,
  palette: ICommandPalette | null
): void {
  const { commands, trans } = context;
  const { contents, kernelspecs, settings } = app.serviceManager;

  commands.addCommand(CommandIDs.newTextNotebook, {
    label: trans.__('Text Notebook'),
    caption: trans.__('A notebook that is plain text in git, with its outputs kept beside it'),
    icon: args => (args.isPalette ? undefined : notebookIcon),
    describedBy: NOTHING,
    execute: async () => {
      const made = await contents.newUntitled({
        path: folder(app),
        type: 'notebook',
        ext: SUFFIX[await formatOfTexts(settings)]
      });
      const name = kernelspecs.specs?.default;
      return commands.execute('docmanager:open', {
        path: made.path,
        factory: 'Notebook',
        ...(name ? { kernel: { name } } : {})
      });
    }
  });

  commands.addCommand(CommandIDs.convertNotebook, {
    label: () =>
      notebooks.currentWidget?.context.path.endsWith('.ipynb') === false
        ? trans.__('Convert to .ipynb')
        : trans.__('Convert to Text Notebook'),
    caption: trans.__('Nothing is lost: outputs are kept beside the text, and come back'),
    describedBy: NOTHING,
    isEnabled: () => notebooks.currentWidget !== null,
    execute: async () => {
      const { convert } = await import('./texts');
      return convert(app, context, notebooks.currentWidget);
    }
  });

  const category = trans.__('Slipway');
  palette?.addItem({ command: CommandIDs.newTextNotebook, category });
  palette?.addItem({ command: CommandIDs.convertNotebook, category });
}

/** The folder that the file browser shows. */
function folder(app: JupyterFrontEnd): string {
  const browser = [...app.shell.widgets('left')].find(widget => widget.id === 'filebrowser');
  const model = browser && 'model' in browser ? (browser.model as { path?: unknown }) : undefined;
  return typeof model?.path === 'string' ? model.path : '';
}
