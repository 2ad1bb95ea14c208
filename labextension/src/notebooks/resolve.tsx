/** A merge that git could not finish, cell by cell, by nbdime's merge widget: mine, theirs, both, or typed by hand. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { MergeView } from 'nbdime/lib/common/mergeview';
import { createAddedCellDiffModel } from 'nbdime/lib/diff/model';
import { NotebookMergeModel } from 'nbdime/lib/merge/model';
import { CellMergeWidget } from 'nbdime/lib/merge/widget';
import * as React from 'react';

import 'nbdime/lib/styles/merge.css';
import '../../style/parts.css';
import '../../style/pages.css';
import '../../style/resolve.css';

import { type ApiError, asApiError, type CellConflict, type NotebookMerge } from '../api';
import { comparing } from '../api/compare';
import type { Drawing } from '../pages';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { useLumino } from '../ui/lumino';
import { Button, Empty, Problem, Skeleton } from '../ui/parts';
import { useAsked } from './asked';
import { bare, Cell, Changes, Compared, inLanguage, mimetypeOf } from './changes';
import { gitAdd } from './gitAdd';
import { named } from './named';
import { both, type Side, taken } from './sides';
import { StepButtons, useSteps } from './steps';
import { PathTitle } from './title';

/** A settled cell's source; null: it goes. */
type Settled = string | null;

export function ResolvePage(props: { path: string; drawing: Drawing }): JSX.Element {
  const { api, trans } = useContext();
  const { path, drawing } = props;
  const ask = React.useCallback(() => comparing(api).merge(path), [api, path]);
  // No path: asked again on the server's news, what was chosen here would be gone.
  const { found, error, again } = useAsked('', ask);
  const { page, step } = useSteps();
  return (
    <div className="slipway-Page slipway-mod-wide" ref={page}>
      {error && error.status !== 404 && <Problem error={error} retry={again} />}
      {!found && !error && <Skeleton lines={8} />}
      {found && <Settling key={path} {...{ path, found, drawing, step }} />}
      {error?.status === 404 && (
        <Empty action={<Button onClick={again}>{trans.__('Look again')}</Button>}>
          {error.message} {error.hint}
        </Empty>
      )}
    </div>
  );
}

function Settling(props: {
  path: string;
  found: NotebookMerge;
  drawing: Drawing;
  step: (by: 1 | -1) => void;
}): JSX.Element {
  const { api, trans } = useContext();
  const { path, found, drawing } = props;
  const [settled, setSettled] = React.useState<ReadonlyMap<number, Settled>>(new Map());
  const [saved, setSaved] = React.useState<{ snapshot: string | null } | null>(null);
  const [refused, setRefused] = React.useState<ApiError | null>(null);
  const [preview, setPreview] = React.useState<Compared | null>(null);
  const all = found.cells.length;
  const settle = (index: number) => (text: Settled | undefined) => {
    setSaved(null);
    setPreview(null);
    setSettled(before => {
      const next = new Map(before);
      if (text === undefined) {
        next.delete(index);
      } else {
        next.set(index, text);
      }
      return next;
    });
  };
  const save = async () => {
    try {
      setSaved(await comparing(api).resolve(path, result(found, settled)));
      setRefused(null);
    } catch (reason) {
      setRefused(asApiError(reason));
    }
  };
  const look = async () => {
    try {
      const other = result(found, settled) as never;
      const diff = await comparing(api).diff({ path, base: ':2', outputs: false, contents: { other } });
      setPreview(new Compared(diff.base, diff.diff));
    } catch (reason) {
      setRefused(asApiError(reason));
    }
  };
  return (
    <>
      <div className="slipway-Head slipway-mod-sticky">
        <div className="slipway-Head-title">
          <PathTitle path={path} />
          <span className="slipway-Dim" role="status">
            {trans._n('%2 of %1 conflict settled', '%2 of %1 conflicts settled', all, settled.size)}
          </span>
          <div className="slipway-Buttons">
            <StepButtons step={props.step} disabled={!all} />
            <Button onClick={() => void (preview ? setPreview(null) : look())} expanded={preview !== null}>
              {trans.__('Show result')}
            </Button>
            <Button
              kind="primary"
              disabled={settled.size < all || saved !== null}
              onClick={() => void save()}
            >
              {trans.__('Save')}
            </Button>
          </div>
        </div>
      </div>
      {refused && <Problem error={refused} />}
      {saved && <Saved path={path} snapshot={saved.snapshot} />}
      {!all && <Empty>{trans.__('Both sides go together without a conflict. Save, and it is done.')}</Empty>}
      {found.cells.map(conflict => (
        <ConflictedCell
          key={conflict.index}
          conflict={conflict}
          found={found}
          drawing={drawing}
          settled={settled.get(conflict.index)}
          settle={settle(conflict.index)}
        />
      ))}
      {preview && (
        <section className="slipway-Compare" ref={bringIntoView}>
          <h3>{trans.__('What the result changes on my side')}</h3>
          {preview.same ? (
            <p className="slipway-Dim">{trans.__('Nothing.')}</p>
          ) : (
            <Changes compared={preview} drawing={drawing} hide />
          )}
        </section>
      )}
    </>
  );
}

function Saved({ path, snapshot }: { path: string; snapshot: string | null }): JSX.Element {
  const { commands, trans } = useContext();
  const line = gitAdd(path);
  return (
    <div className="slipway-Banner" data-kind="done" role="status">
      <p>
        {trans.__('Saved. When all files of the merge are settled, tell git:')} <code>{line}</code>
      </p>
      <Button onClick={() => void navigator.clipboard.writeText(line)}>{trans.__('Copy')}</Button>
      {snapshot && (
        <Button
          title={trans.__('Make the file what it was before')}
          onClick={() => void commands.execute(CommandIDs.restoreRevision, { path, revision: snapshot })}
        >
          {trans.__('Undo')}
        </Button>
      )}
      <Button onClick={() => void commands.execute('docmanager:open', { path, factory: 'Notebook' })}>
        {trans.__('Open notebook')}
      </Button>
    </div>
  );
}

function ConflictedCell(props: {
  conflict: CellConflict;
  found: NotebookMerge;
  drawing: Drawing;
  settled: Settled | undefined;
  settle: (text: Settled | undefined) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { conflict, found, drawing, settled, settle } = props;
  const cell = found.merged.cells as { cell_type: string; source: string }[];
  const { cell_type: kind, source } = cell[conflict.index];
  const sides: Record<Side, Settled> = {
    mine: sourceOf(conflict.mine),
    theirs: sourceOf(conflict.theirs),
    both: both(source)
  };
  const removed = sides.mine === null || sides.theirs === null;
  const result = React.useRef<Result | null>(null);
  const heading = React.useRef<HTMLHeadingElement>(null);
  const take = (side: Side) => {
    const text = sides[side];
    if (text !== null && result.current) {
      result.current.set(text);
    }
    settle(text);
  };
  const chosen = settled === undefined ? undefined : taken(sides, settled);
  const labels: [Side, string][] = [
    ['mine', sideWords(trans.__('Mine'), found.mine, sides.mine === null && trans.__('removed'))],
    ['theirs', sideWords(trans.__('Theirs'), found.theirs, sides.theirs === null && trans.__('removed'))],
    ...(removed ? [] : ([['both', trans.__('Both')]] as [Side, string][]))
  ];
  return (
    <section className="slipway-Change slipway-Resolve" data-settled={settled !== undefined}>
      <h3 tabIndex={-1} ref={heading}>
        {trans.__('Cell %1', conflict.index + 1)}{' '}
        <span>
          {settled === undefined
            ? removed
              ? trans.__('changed on one side, removed on the other')
              : trans.__('changed on both sides')
            : chosen
              ? trans.__('settled')
              : trans.__('settled by hand')}
        </span>
      </h3>
      <div className="slipway-Buttons" role="group" aria-label={trans.__('Keep')}>
        <span aria-hidden="true">{trans.__('Keep')}</span>
        {labels.map(([side, label]) => (
          <button
            key={side}
            type="button"
            className="slipway-Button"
            aria-pressed={chosen === side}
            onClick={() => take(side)}
          >
            {label}
          </button>
        ))}
        {settled !== undefined && (
          <Button
            onClick={() => {
              result.current?.reset();
              settle(undefined);
              // This button goes: who pressed it by keyboard goes on from here.
              heading.current?.focus({ preventScroll: true });
            }}
          >
            {trans.__('Undo')}
          </Button>
        )}
      </div>
      {removed ? (
        <Kept kind={kind} source={sides.mine ?? sides.theirs ?? ''} drawing={drawing} />
      ) : (
        <Panes {...{ conflict, found, kind, drawing, result, settle }} />
      )}
    </section>
  );
}

/** The pane in which a person makes the result. */
interface Result {
  set: (text: string) => void;
  reset: () => void;
}

function Panes(props: {
  conflict: CellConflict;
  found: NotebookMerge;
  kind: string;
  drawing: Drawing;
  result: React.MutableRefObject<Result | null>;
  settle: (text: Settled | undefined) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { conflict, found, kind, drawing, result } = props;
  const settle = React.useRef(props.settle);
  settle.current = props.settle;
  const host = useLumino(() => {
    const { metadata } = inLanguage(found.merged as unknown as INotebookContent);
    const base = { cells: [bare(kind, conflict.base ?? '')], metadata, nbformat: 4, nbformat_minor: 5 };
    const model = new NotebookMergeModel(base as INotebookContent, conflict.decisions as never);
    const widget = new CellMergeWidget({
      model: model.cells[0],
      rendermime: drawing.rendermime,
      mimetype: mimetypeOf(kind),
      editorFactory: drawing.editors.factoryService.newInlineEditor,
      translator: drawing.translator
    });
    const pane = (widget.sourceView as MergeView).merge?.remoteEditorWidget;
    const shared = pane?.model.sharedModel;
    pane?.node.setAttribute('data-label', trans.__('Result'));
    // Who goes through the page by keyboard would be held here, and would settle the conflict by indenting a line.
    pane?.node.addEventListener('keydown', event => event.key === 'Tab' && event.stopPropagation(), true);
    if (shared) {
      const first = shared.source;
      let own = false;
      const write = (text: string) => {
        own = true;
        shared.setSource(text);
        own = false;
      };
      shared.changed.connect(() => !own && settle.current(shared.source));
      result.current = { set: write, reset: () => write(first) };
    }
    named(widget.node, trans);
    return { widget, dispose: () => (result.current = null) };
  }, [conflict, found, kind, drawing, trans]);
  return (
    <div className="slipway-Nbdime">
      <div className="slipway-Resolve-names" aria-hidden="true">
        <span>{sideWords(trans.__('Mine'), found.mine, false)}</span>
        <span>{trans.__('Before')}</span>
        <span>{sideWords(trans.__('Theirs'), found.theirs, false)}</span>
      </div>
      <div className="nbdime-root jp-Notebook-merge" ref={host} />
    </div>
  );
}

/** The cell as the side has it that did not remove it. */
function Kept({ kind, source, drawing }: { kind: string; source: string; drawing: Drawing }): JSX.Element {
  const mimetype = mimetypeOf(kind);
  const model = React.useMemo(
    () => createAddedCellDiffModel(bare(kind, source), mimetype),
    [kind, source, mimetype]
  );
  return (
    <div className="slipway-Nbdime">
      <div className="nbdime-root jp-Notebook-diff">
        <Cell model={model} drawing={drawing} mimetype={mimetype} />
      </div>
    </div>
  );
}

/** It stands below all conflicts. */
function bringIntoView(section: HTMLElement | null): void {
  section?.scrollIntoView({ block: 'nearest' });
}

function sideWords(side: string, name: string, removed: string | false): string {
  return [side, name && `(${name})`, removed && `– ${removed}`].filter(Boolean).join(' ');
}

function sourceOf(cell: CellConflict['mine']): Settled {
  return cell ? String(cell.source) : null;
}

/** The merged notebook with what was settled; outputs stay with the source they are of. */
function result(found: NotebookMerge, settled: ReadonlyMap<number, Settled>): Record<string, unknown> {
  const conflicts = new Map(found.cells.map(one => [one.index, one]));
  const cells = (found.merged.cells as Record<string, unknown>[]).flatMap((cell, index) => {
    const source = settled.get(index);
    if (source === undefined) {
      return [cell];
    }
    if (source === null) {
      return [];
    }
    const of = [conflicts.get(index)?.mine, conflicts.get(index)?.theirs].find(one => one?.source === source);
    const results =
      'outputs' in cell ? { outputs: of?.outputs ?? [], execution_count: of?.execution_count ?? null } : {};
    return [{ ...cell, source, ...results }];
  });
  return { ...found.merged, cells };
}
