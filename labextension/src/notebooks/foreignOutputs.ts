/** Outputs of a text notebook that were kept elsewhere, or changed since, do not run: that is said above them. */
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';

import type { Context } from '../ui/context';

import '../../style/texts.css';

/** From here on, in each text notebook that is open; an `.ipynb` is signed, and spoken of, by JupyterLab itself. */
export function tellOfForeignOutputs(context: Context, notebooks: INotebookTracker): void {
  notebooks.widgetAdded.connect((_, panel) => void watch(context, panel));
  notebooks.forEach(panel => void watch(context, panel));
}

async function watch(context: Context, panel: NotebookPanel): Promise<void> {
  await panel.revealed;
  const { path } = panel.context;
  if (panel.isDisposed || path.endsWith('.ipynb') || !isForeign(panel)) {
    return;
  }
  const told = note(context);
  panel.contentHeader.addWidget(told);
  const look = () => {
    if (!isForeign(panel)) {
      panel.content.modelContentChanged.disconnect(look);
      told.dispose();
    }
  };
  panel.content.modelContentChanged.connect(look);
}

function isForeign({ content }: NotebookPanel): boolean {
  return [...(content.model?.cells ?? [])].some(
    cell => cell.type === 'code' && !cell.trusted && (cell as ICodeCellModel).outputs.length > 0
  );
}

function note({ commands, trans }: Context): Widget {
  const made = new Widget();
  made.addClass('slipway-Foreign');
  made.node.setAttribute('role', 'note');
  const said = document.createElement('span');
  said.textContent = trans.__('Outputs were made or changed elsewhere: scripts in them do not run.');
  const trust = document.createElement('button');
  trust.type = 'button';
  trust.className = 'slipway-Button';
  trust.textContent = trans.__('Trust…');
  trust.addEventListener('click', () => void commands.execute('notebook:trust'));
  made.node.append(said, trust);
  return made;
}
