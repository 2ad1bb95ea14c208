/** Who made each cell what it is, and one cell's steps to it. */
import { createAddedCellDiffModel, createPatchedCellDiffModel } from 'nbdime/lib/diff/model';
import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';
import * as React from 'react';

import { type Blame, type CellChange } from '../api';
import { comparing } from '../api/compare';
import type { Drawing } from '../pages';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Button, Empty, Problem, Skeleton, Time } from '../ui/parts';
import { useAsked } from './asked';
import { bare, Cell, mimetypeOf } from './changes';
import { Who } from './title';

export function CellList(props: { path: string; choose: (cell: string) => void }): JSX.Element {
  const { api, trans } = useContext();
  const { path, choose } = props;
  const ask = React.useCallback(() => comparing(api).blame(path), [api, path]);
  const { found, error, again } = useAsked(path, ask);
  if (error) {
    return <Problem error={error} retry={again} />;
  }
  if (!found) {
    return <Skeleton lines={8} />;
  }
  if (!found.items.length) {
    return <Empty>{trans.__('This notebook has no cells.')}</Empty>;
  }
  return (
    <table className="slipway-Table slipway-Blame">
      <thead>
        <tr>
          <th scope="col">{trans.__('Cell')}</th>
          <th scope="col">{trans.__('Changed by')}</th>
          <th scope="col">{trans.__('When')}</th>
          <th scope="col">{trans.__('With')}</th>
        </tr>
      </thead>
      <tbody>
        {found.items.map(one => (
          <tr key={one.index}>
            <td>
              <button
                type="button"
                className="slipway-Blame-cell"
                title={trans.__('History of cell %1', one.index + 1)}
                onClick={() => choose(one.cell || String(one.index))}
              >
                <span className="slipway-Dim">{one.index + 1}</span>
                <code>{one.title || trans.__('(empty)')}</code>
              </button>
            </td>
            <Author blame={one} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Author({ blame }: { blame: Blame }): JSX.Element {
  const { trans } = useContext();
  const { revision } = blame;
  if (!revision) {
    return (
      <td colSpan={3} className="slipway-Dim">
        {blame.committed ? trans.__('longer ago than was looked at') : trans.__('not committed')}
      </td>
    );
  }
  return (
    <>
      <td>
        <Who name={revision.author} />
      </td>
      <td>
        <Time iso={revision.at} />
      </td>
      <td className="slipway-Blame-with">{revision.message}</td>
    </>
  );
}

export function CellPast(props: {
  path: string;
  /** Its id, or its index. */
  cell: string;
  /** Its id in the open notebook; '' when that is not known. */
  id: string;
  drawing: Drawing;
  back: () => void;
}): JSX.Element {
  const { api, commands, trans } = useContext();
  const { path, cell } = props;
  const [id, setId] = React.useState(props.id);
  const ask = React.useCallback(() => comparing(api).history(path, cell), [api, path, cell]);
  const { found, error, again } = useAsked(path, ask);
  const use = async (source: string) => {
    const was = found?.cells[0].source;
    const used = (await commands.execute(CommandIDs.restoreCell, {
      path,
      cell: id || cell,
      was,
      source
    })) as string;
    setId(used || id);
  };
  return (
    <>
      <div className="slipway-Buttons">
        <Button onClick={props.back}>{trans.__('‹ All cells')}</Button>
      </div>
      {error && <Problem error={error} retry={again} />}
      {!found && !error && <Skeleton lines={8} />}
      {found && (
        <ol className="slipway-List slipway-Steps">
          {found.cells.map((step, index) => (
            <Step
              key={step.revision?.id ?? ''}
              step={step}
              first={index === 0}
              kind={found.cell_type}
              drawing={props.drawing}
              use={use}
            />
          ))}
        </ol>
      )}
    </>
  );
}

function Step(props: {
  step: CellChange;
  first: boolean;
  kind: string;
  drawing: Drawing;
  use: (source: string) => Promise<void>;
}): JSX.Element {
  const { trans } = useContext();
  const { step, kind, drawing } = props;
  const mimetype = mimetypeOf(kind);
  const model = React.useMemo(() => {
    return step.before === null
      ? createAddedCellDiffModel(bare(kind, step.source), mimetype)
      : createPatchedCellDiffModel(
          bare(kind, step.before),
          [{ op: 'patch', key: 'source', diff: step.diff as unknown as IDiffEntry[] }] as IDiffEntry[],
          mimetype
        );
  }, [step, kind, mimetype]);
  return (
    <li className="slipway-Step">
      <div className="slipway-Step-head">
        {step.revision ? (
          <>
            <Who name={step.revision.author} />
            <span className="slipway-Step-what">{step.revision.message}</span>
            <span className="slipway-Dim">
              <Time iso={step.revision.at} />
            </span>
          </>
        ) : (
          <strong>{trans.__('Not committed')}</strong>
        )}
        {!props.first && (
          <Button
            title={trans.__('Put this source into the open notebook; it can be undone there')}
            onClick={() => void props.use(step.source)}
          >
            {trans.__('Use this')}
          </Button>
        )}
      </div>
      <div className="slipway-Nbdime">
        <div className="nbdime-root jp-Notebook-diff">
          <Cell model={model} drawing={drawing} mimetype={mimetype} />
        </div>
      </div>
    </li>
  );
}
