/** Slipway in JupyterLab: what loads at start. All that is not seen at once is imported when it is asked for. */
import {
  ILayoutRestorer,
  IRouter,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, ISessionContextDialogs, IToolbarWidgetRegistry } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { INotebookCellExecutor, INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Api } from './api';
import { addClusters } from './clusters/plugin';
import { addKernels } from './kernels/plugin';
import { noteAsOpened } from './notebooks/asOpened';
import { addComparing } from './notebooks/compare-plugin';
import { addTextNotebooks } from './notebooks/plugin';
import { keepOwnPath } from './notebooks/ownPath';
import type { ShownText } from './notebooks/rights';
import { takeNoKernelForAnEdit } from './notebooks/toldByKernel';
import { addPages } from './pages';
import { Overview } from './panel/model';
import { addPanel } from './panel/plugin';
import { addPublishing } from './publish/plugin';
import { CommandIDs, DOMAIN, PLUGIN_ID } from './tokens';
import type { Context } from './ui/context';

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Publishes a notebook cell as a registered job, and shows jobs and runs.',
  autoStart: true,
  requires: [INotebookTracker, IRenderMimeRegistry, IEditorServices, IEditorLanguageRegistry],
  optional: [
    ITranslator,
    ICommandPalette,
    IStatusBar,
    ILayoutRestorer,
    IRouter,
    IToolbarWidgetRegistry,
    ISessionContextDialogs,
    INotebookCellExecutor
  ],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    editors: IEditorServices,
    languages: IEditorLanguageRegistry,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    restorer: ILayoutRestorer | null,
    router: IRouter | null,
    toolbars: IToolbarWidgetRegistry | null,
    dialogs: ISessionContextDialogs | null,
    executor: INotebookCellExecutor | null
  ) => {
    const { commands, serviceManager } = app;
    const tongue = translator ?? nullTranslator;
    const api = new Api(serviceManager.serverSettings);
    const context: Context = {
      api,
      commands,
      overview: new Overview(api, serviceManager.events),
      trans: tongue.load(DOMAIN),
      locale: (tongue.languageCode || 'en').replace('_', '-'),
      highlight: (python, host) => languages.highlight(python, languages.findByMIME('text/x-python'), host)
    };
    addPublishing(context, notebooks, serviceManager.contents);
    addTextNotebooks(app, context, notebooks, palette);
    const drawing = { rendermime, editors, translator: tongue };
    const pages = addPages(app, context, drawing, notebooks, restorer, router);
    const watchNotebooks = addComparing(app, context, notebooks, pages, drawing, palette);
    whenFirst(notebooks, () =>
      import('./notebooks/texts').then(({ markOldOutputs }) => markOldOutputs(context, notebooks))
    );
    whenFirst(notebooks, () =>
      import('./notebooks/foreignOutputs').then(to => to.tellOfForeignOutputs(context, notebooks))
    );
    whenFirst(notebooks, watchNotebooks);
    notebooks.widgetAdded.connect((_, panel) => {
      noteAsOpened(panel.context);
      takeNoKernelForAnEdit(panel.context);
    });
    whenFirst(notebooks, first =>
      import('./notebooks/following').then(({ follow }) => follow(app, context, notebooks, first))
    );
    app.docRegistry.addWidgetExtension('Editor', {
      createNew: (shown, file) => {
        noteAsOpened(file as DocumentRegistry.Context);
        keepOwnPath(file as DocumentRegistry.Context);
        void import('./notebooks/followedText').then(to =>
          to.followText(app, context, file as DocumentRegistry.Context, shown as ShownText)
        );
      }
    });
    const clusters = addClusters(app, context, notebooks, toolbars, restorer, palette, statusBar);
    addKernels(app, context, toolbars, dialogs, executor);
    addPanel(app, context, restorer, statusBar, [clusters]);
    const category = context.trans.__('Slipway');
    for (const command of [CommandIDs.open, CommandIDs.publish, CommandIDs.refresh, CommandIDs.openKernel]) {
      palette?.addItem({ command, category });
    }
    void app.restored.then(() => context.overview.start());
  }
};

/** Calls back once, when there is a notebook. */
function whenFirst(notebooks: INotebookTracker, back: (first: NotebookPanel | null) => Promise<void>): void {
  const once = (_: unknown, first: NotebookPanel) => {
    notebooks.widgetAdded.disconnect(once);
    void back(first);
  };
  if (notebooks.size) {
    void back(notebooks.currentWidget);
  } else {
    notebooks.widgetAdded.connect(once);
  }
}

export default plugin;
