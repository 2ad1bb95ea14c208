/** The cells of two notebooks side by side: nbdime's widgets, drawn as they come into view, unchanged ones folded. */
import type { ICell, INotebookContent } from '@jupyterlab/nbformat';
import type { Widget } from '@lumino/widgets';
import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';
import { type CellDiffModel, NotebookDiffModel } from 'nbdime/lib/diff/model';
import { CellDiffWidget, MetadataDiffWidget } from 'nbdime/lib/diff/widget';
import * as React from 'react';

import 'nbdime/lib/common/collapsible.css';
import 'nbdime/lib/styles/common.css';
import 'nbdime/lib/styles/diff.css';
import 'nbdime/lib/styles/variables.css';
import 'nbdime/lib/upstreaming/flexpanel.css';
import '../../style/changes.css';

import type { Drawing } from '../pages';
import { useContext } from '../ui/context';
import { useLumino } from '../ui/lumino';
import { withoutCounts } from './counts';
import { type Counts, type Item, items, type Numbered } from './items';
import { keepWithinLines } from './lastLine';
import { named } from './named';

keepWithinLines();

/** Pixels of a line of code, and of what surrounds a cell: the room kept for one that is not drawn yet. */
const LINE = 18;
const AROUND = 24;
/** How far out of sight cells are drawn already. */
const AHEAD = '600px 0px';

/** What is to be drawn, worked out once for each difference. */
export class Compared {
  constructor(base: object, diff: readonly object[]) {
    const notebook = base as INotebookContent;
    const entries = withoutCounts(diff as IDiffEntry[]);
    const of = (ours: boolean) => entries.filter(({ key }) => (key === 'metadata') === ours);
    const cells = new NotebookDiffModel(inLanguage(notebook), of(false));
    // Apart: what `inLanguage` adds is no part of what changed.
    this.metadata = new NotebookDiffModel({ ...notebook, cells: [] }, of(true)).metadata;
    this.mimetype = cells.mimetype;
    const found = items(cells.chunkedCells);
    this.items = found.items;
    this.counts = found.counts;
  }

  get same(): boolean {
    const { changed, added, removed } = this.counts;
    return !changed && !added && !removed && !this.metadata;
  }

  readonly metadata: NotebookDiffModel['metadata'];
  readonly mimetype: string;
  readonly items: readonly Item<CellDiffModel>[];
  readonly counts: Counts;
}

export function Changes(props: { compared: Compared; drawing: Drawing; hide: boolean }): JSX.Element {
  const { compared, drawing, hide } = props;
  const { metadata, mimetype } = compared;
  return (
    <div className="slipway-Nbdime">
      <div className="nbdime-root">
        <ol className="slipway-Changes jp-Notebook-diff">
          {compared.items.map((item, index) => (
            <li key={index}>
              {item.same ? (
                <Fold key={String(hide)} cells={item.cells} folded={hide} {...{ drawing, mimetype }} />
              ) : item.removed.length && item.added.length ? (
                <div className="slipway-Changes-pair">
                  <Column cells={item.removed} {...{ drawing, mimetype }} />
                  <Column cells={item.added} {...{ drawing, mimetype }} />
                </div>
              ) : (
                <Column
                  cells={[...item.removed, ...item.added, ...item.changed]}
                  {...{ drawing, mimetype }}
                />
              )}
            </li>
          ))}
        </ol>
        {metadata && (
          <Drawn
            of={metadata}
            lines={1}
            make={() =>
              new MetadataDiffWidget({
                model: metadata,
                editorFactory: drawing.editors.factoryService.newInlineEditor,
                translator: drawing.translator,
                // Folding equal lines fails in texts as short as most of these are.
                collapseIdentical: -1
              })
            }
          />
        )}
      </div>
    </div>
  );
}

/** A notebook that was never run does not say how its code is to be coloured: its kernel does. */
export function inLanguage(notebook: INotebookContent): INotebookContent {
  const { kernelspec, language_info: told } = notebook.metadata ?? {};
  if (told?.mimetype) {
    return notebook;
  }
  const language = told?.name ?? (kernelspec?.language as string | undefined) ?? 'python';
  const mimetype = language === 'python' ? mimetypeOf('code') : `text/x-${language}`;
  return { ...notebook, metadata: { ...notebook.metadata, language_info: { name: language, mimetype } } };
}

/** A cell that has nothing but its source. */
export function bare(cell_type: string, source: string): ICell {
  const results = cell_type === 'code' ? { outputs: [], execution_count: null } : {};
  return { cell_type, id: 'cell', metadata: {}, source, ...results };
}

export function mimetypeOf(cell_type: string): string {
  return cell_type === 'code' ? 'text/x-ipython' : 'text/x-markdown';
}

interface Cells {
  cells: readonly Numbered<CellDiffModel>[];
  drawing: Drawing;
  mimetype: string;
}

/** Cells that nobody changed: one line, that shows them when asked. */
function Fold(props: Cells & { folded: boolean }): JSX.Element {
  const { trans } = useContext();
  const [open, setOpen] = React.useState(!props.folded);
  const { length } = props.cells;
  return (
    <>
      <button
        type="button"
        className="slipway-Fold"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        title={open ? trans.__('Hide them') : trans.__('Show them')}
      >
        {trans._n('%1 unchanged cell', '%1 unchanged cells', length)}
      </button>
      {open && <Column {...props} />}
    </>
  );
}

function Column({ cells, drawing, mimetype }: Cells): JSX.Element {
  const { trans } = useContext();
  const words = {
    added: trans.__('added'),
    removed: trans.__('removed'),
    changed: trans.__('changed'),
    same: trans.__('unchanged')
  };
  return (
    <div className="slipway-Changes-column">
      {cells.map(({ cell, number, kind }) => (
        <section key={`${kind}${number}`} className="slipway-Change" data-kind={kind}>
          <h3 tabIndex={-1}>
            {trans.__('Cell %1', number)} <span>{words[kind]}</span>
          </h3>
          <Cell model={cell} {...{ drawing, mimetype }} />
        </section>
      ))}
    </div>
  );
}

/** One cell, before and after. */
export function Cell(props: { model: CellDiffModel; drawing: Drawing; mimetype: string }): JSX.Element {
  const { model, drawing, mimetype } = props;
  return (
    <Drawn
      of={model}
      lines={(model.source.remote ?? model.source.base ?? '').split('\n').length}
      make={() =>
        new CellDiffWidget({
          model,
          rendermime: drawing.rendermime,
          mimetype,
          editorFactory: drawing.editors.factoryService.newInlineEditor,
          translator: drawing.translator
        })
      }
    />
  );
}

type Making = () => Widget;

/** A widget of something, made when it comes near to being seen; until then its room is kept. */
function Drawn({ of, lines, make }: { of: object; lines: number; make: Making }): JSX.Element {
  const place = React.useRef<HTMLDivElement>(null);
  const [near, setNear] = React.useState(false);
  React.useEffect(() => {
    const node = place.current;
    if (near || !node) {
      return;
    }
    const observer = new IntersectionObserver(
      entries => entries.some(entry => entry.isIntersecting) && setNear(true),
      { root: node.closest('.slipway-View'), rootMargin: AHEAD }
    );
    observer.observe(node);
    return () => observer.disconnect();
  }, [near]);
  return near ? (
    <Guard>
      <Made of={of} make={make} />
    </Guard>
  ) : (
    <div ref={place} aria-busy="true" style={{ minHeight: lines * LINE + AROUND }} />
  );
}

/** What nbdime cannot draw must not take the page with it. */
class Guard extends React.Component<{ children: React.ReactNode }, { failed: boolean }> {
  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  state = { failed: false };

  render(): React.ReactNode {
    return this.state.failed ? <Undrawn /> : this.props.children;
  }
}

function Undrawn(): JSX.Element {
  const { trans } = useContext();
  return (
    <p className="slipway-Dim">{trans.__('This cell cannot be drawn: its content is not what it says.')}</p>
  );
}

function Made({ of, make }: { of: object; make: Making }): JSX.Element {
  const { trans } = useContext();
  const host = useLumino(() => {
    const widget = make();
    named(widget.node, trans);
    return { widget };
  }, [of]);
  return <div ref={host} />;
}
