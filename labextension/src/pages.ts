/** The main area's pages, and the commands that open them; each page's code loads with its first use. */
import type { ILayoutRestorer, IRouter, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import { asApiError } from './api';
import { slipwayIcon } from './icons';
import { CommandIDs } from './tokens';
import { A_CELL, A_JOB, A_LINK, A_RUN, JOB_TO_RUN, TWO_VERSIONS } from './ui/arguments';
import { type Context, SlipwayWidget } from './ui/context';

/** What draws code, outputs and differences. */
export interface Drawing {
  rendermime: IRenderMimeRegistry;
  editors: IEditorServices;
  translator: ITranslator;
}

type Arguments = ReadonlyPartialJSONObject;

/** Opens each page once, and brings it to the front when asked again. */
export class Pages {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly context: Context,
    private readonly drawing: Drawing
  ) {}

  readonly tracker = new WidgetTracker<Page>({ namespace: 'slipway' });

  async job(args: Arguments): Promise<void> {
    const name = String(args.job);
    const { openJob } = await import('./jobs/open');
    await this.show(`slipway-job-${name}`, CommandIDs.openJob, { job: name }, name, page =>
      openJob(this.context, name, args, page)
    );
  }

  async run(args: Arguments): Promise<void> {
    const id = String(args.run);
    const { openRun } = await import('./runs/open');
    await this.show(`slipway-run-${id}`, CommandIDs.openRun, { run: id }, id, () =>
      openRun(this.context, id, args, this.drawing)
    );
  }

  async compare(args: Arguments): Promise<void> {
    const job = String(args.job);
    const { ComparePage } = await import('./jobs/compare');
    const pair = { job, ...number(args, 'old'), ...number(args, 'new') };
    const id = ['slipway-compare', ...Object.values(pair)].join('-');
    const title = this.context.trans.__('Changes: %1', job);
    await this.show(id, CommandIDs.compare, pair, title, () => ({
      view: new SlipwayWidget(this.context, () => ComparePage({ ...pair, drawing: this.drawing }))
    }));
  }

  /** `make` is given the page that is open already; null: it has taken the wish. */
  async show(
    id: string,
    command: string,
    args: Arguments,
    title: string,
    make: (page: Page | undefined) => Made | null
  ): Promise<void> {
    const { shell } = this.app;
    let page = this.tracker.find(one => one.id === id);
    const made = make(page);
    if (!page && made) {
      page = new Page(made.view, command, args);
      page.id = id;
      page.title.label = title;
      page.title.icon = slipwayIcon;
      page.title.closable = true;
      made.titled?.(page);
      shell.add(page, 'main', { type: 'Slipway' });
      await this.tracker.add(page);
    }
    shell.activateById(id);
  }

  /** With which arguments a page comes back after a reload. */
  remember(page: Page, args: Arguments): void {
    page.args = args;
    void this.tracker.save(page);
  }
}

/** A view to put into a page, and what keeps the page's title right. */
export interface Made {
  view: SlipwayWidget;
  titled?: (page: Page) => void;
}

/** A page remembers the command that opens it again after a reload. */
export class Page extends MainAreaWidget<SlipwayWidget> {
  constructor(
    view: SlipwayWidget,
    readonly command: string,
    public args: Arguments
  ) {
    super({ content: view });
    this.toolbar.hide();
  }
}

function number<Name extends string>(args: Arguments, name: Name): { [N in Name]?: number } {
  return typeof args[name] === 'number' ? ({ [name]: args[name] } as { [N in Name]?: number }) : {};
}

export function addPages(
  app: JupyterFrontEnd,
  context: Context,
  drawing: Drawing,
  notebooks: INotebookTracker,
  restorer: ILayoutRestorer | null,
  router: IRouter | null
): Pages {
  const { commands, trans, api, overview } = context;
  const pages = new Pages(app, context, drawing);
  void restorer?.restore(pages.tracker, {
    command: CommandIDs.openLink,
    args: page => ({ command: page.command, args: page.args }),
    name: page => page.id
  });
  const refused = (error: unknown) => Notification.error(asApiError(error).text, { autoClose: false });

  commands.addCommand(CommandIDs.openJob, {
    label: args => String(args.label ?? trans.__('Open Job')),
    describedBy: A_JOB,
    execute: args => pages.job(args)
  });
  commands.addCommand(CommandIDs.openRun, {
    label: trans.__('Open Run'),
    describedBy: A_RUN,
    execute: args => pages.run(args)
  });
  commands.addCommand(CommandIDs.compare, {
    label: args => String(args.label ?? trans.__('Compare Versions')),
    describedBy: TWO_VERSIONS,
    execute: args => pages.compare(args)
  });
  commands.addCommand(CommandIDs.run, {
    label: trans.__('Run Job Now'),
    describedBy: JOB_TO_RUN,
    execute: async args => {
      try {
        const run = await api.runs.start({
          job: String(args.job),
          version: (args.version as number) ?? null
        });
        overview.announce({ kind: 'run', id: run.id });
        await pages.run({ run: run.id });
      } catch (error) {
        refused(error);
      }
    }
  });
  commands.addCommand(CommandIDs.cancel, {
    label: trans.__('Cancel Run'),
    describedBy: A_RUN,
    execute: args =>
      api.runs.cancel(String(args.run)).then(run => overview.announce({ kind: 'run', id: run.id }), refused)
  });
  commands.addCommand(CommandIDs.retry, {
    label: trans.__('Retry Run'),
    describedBy: A_RUN,
    execute: args =>
      api.runs.retry(String(args.run)).then(run => {
        overview.announce({ kind: 'run', id: run.id });
        return pages.run({ run: run.id });
      }, refused)
  });
  commands.addCommand(CommandIDs.openCell, {
    label: trans.__('Open Cell'),
    describedBy: A_CELL,
    execute: async args => {
      const path = String(args.notebook);
      // A text notebook would open in the editor, unless it is said how.
      const text = path.endsWith('.ipynb') ? {} : { factory: 'Jupytext Notebook' };
      const panel =
        notebooks.find(one => app.serviceManager.contents.localPath(one.context.path) === path) ??
        ((await commands.execute('docmanager:open', { path, ...text })) as NotebookPanel | undefined);
      if (panel && notebooks.has(panel)) {
        app.shell.activateById(panel.id);
        await goTo(
          panel,
          String(args.cell),
          args.index as number | undefined,
          args.line as number | undefined
        ).then(
          found =>
            found ||
            Notification.warning(trans.__('This cell is no longer in the notebook.'), { autoClose: 6_000 })
        );
      }
    }
  });
  commands.addCommand(CommandIDs.openLink, {
    label: trans.__('Open Slipway Link'),
    describedBy: A_LINK,
    execute: args => {
      const own: string[] = [
        CommandIDs.openJob,
        CommandIDs.openRun,
        CommandIDs.compare,
        CommandIDs.compareNotebook,
        CommandIDs.notebookHistory,
        CommandIDs.resolveNotebook
      ];
      const link = typeof args.command === 'string' ? args : linked(String(args.search ?? ''));
      // Given back: a page of the layout before a reload is put in its old place when it has come.
      return link && own.includes(String(link.command))
        ? commands.execute(String(link.command), (link.args ?? {}) as Arguments)
        : undefined;
    }
  });
  // A link such as /lab?slipway=run/ID or /lab?slipway=job/NAME: what the command line prints.
  router?.register({ command: CommandIDs.openLink, pattern: /[?&]slipway=/ });
  return pages;
}

/** The command that a link's query names; null when it names none. */
export function linked(search: string): { command: string; args: Arguments } | null {
  const [kind, ...rest] = (new URLSearchParams(search).get('slipway') ?? '').split('/');
  const id = rest.join('/');
  if (!id) {
    return null;
  }
  return kind === 'run'
    ? { command: CommandIDs.openRun, args: { run: id } }
    : kind === 'job'
      ? { command: CommandIDs.openJob, args: { job: id } }
      : null;
}

/** Selects a cell and puts the cursor on a line of it; false when there is no such cell. */
async function goTo(panel: NotebookPanel, id: string, index?: number, line?: number): Promise<boolean> {
  await panel.context.ready;
  await panel.revealed;
  const { content } = panel;
  const at = content.widgets.indexOf(cellOf(panel, id, index)!);
  if (at < 0) {
    return false;
  }
  content.activeCellIndex = at;
  content.deselectAll();
  await content.scrollToItem(at, 'smart');
  const cell = content.widgets[at];
  await cell.ready;
  if (line !== undefined && cell.editor) {
    const row = Math.min(line, cell.editor.lineCount) - 1;
    const length = cell.editor.getLine(row)?.length ?? 0;
    content.mode = 'edit';
    cell.editor.setSelection({ start: { line: row, column: 0 }, end: { line: row, column: length } });
    cell.editor.focus();
  }
  return true;
}

/** A text notebook keeps no ids: there a cell is known by its name, else by its place among the code cells. */
function cellOf(panel: NotebookPanel, id: string, index?: number): Cell | undefined {
  const cells = panel.content.widgets;
  const found =
    cells.find(cell => cell.model.id === id) ?? cells.find(cell => cell.model.getMetadata('name') === id);
  if (found || panel.context.path.endsWith('.ipynb') || index === undefined) {
    return found;
  }
  return cells.filter(cell => cell.model.type === 'code')[index];
}
