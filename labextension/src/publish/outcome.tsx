/** The publish dialog's right side: what will run, why, and whether its result is the same. */
import * as React from 'react';

import type { CellPlan, Warn } from '../api';
import { Environment } from '../jobs/facts';
import { mainLine, Source } from '../ui/code';
import { useContext } from '../ui/context';
import { duration, percent } from '../ui/format';
import { Button, Meter, Problem, Prose, Skeleton } from '../ui/parts';
import { cellWords, verdictWords } from '../ui/words';
import type { PublishModel } from './model';

export function Outcome({ model }: { model: PublishModel }): JSX.Element {
  const { trans } = useContext();
  const { plan, problem } = model;
  if (!plan) {
    return (
      <div className="slipway-Publish-right">
        <h2>{trans.__('What will run')}</h2>
        {problem ? <Problem error={problem} /> : <Skeleton lines={6} />}
      </div>
    );
  }
  const kept = plan.cells.filter(cell => cell.kept).length;
  return (
    <div className="slipway-Publish-right">
      <h2>
        {trans.__('What will run')}
        <span className="slipway-Dim"> {trans.__('from %1 of %2 cells', kept, plan.cells.length)}</span>
      </h2>
      {problem && <Problem error={problem} />}
      <Source
        text={plan.module}
        label={trans.__('The Python file that will run')}
        from={mainLine(plan.module)}
      />
      <ProofLine model={model} />
      <Warnings warnings={plan.warnings} />
      <Cells cells={plan.cells} />
      <Environment environment={plan.environment} />
    </div>
  );
}

function Cells({ cells }: { cells: readonly CellPlan[] }): JSX.Element {
  const { trans } = useContext();
  const list = (some: readonly CellPlan[]) => (
    <ul className="slipway-Cells">
      {some.map(cell => (
        <li key={`${cell.index}-${cell.id}`}>
          <span className="slipway-Dim">{cell.index < 0 ? trans.__('gone') : cellWords(cell.index)}</span>
          <code title={cell.source}>{firstLine(cell.source)}</code>
          <span>
            <Prose text={cell.reason} />
          </span>
        </li>
      ))}
    </ul>
  );
  const kept = cells.filter(cell => cell.kept);
  const dropped = cells.filter(cell => !cell.kept);
  return (
    <>
      <details>
        <summary>{trans._n('%1 cell is needed', '%1 cells are needed', kept.length)}</summary>
        {list(kept)}
      </details>
      {dropped.length > 0 && (
        <details>
          <summary>{trans._n('%1 cell is left out', '%1 cells are left out', dropped.length)}</summary>
          {list(dropped)}
        </details>
      )}
    </>
  );
}

function firstLine(source: string): string {
  return source.trim().split('\n', 1)[0];
}

function Warnings({ warnings }: { warnings: readonly Warn[] }): JSX.Element | null {
  const { trans } = useContext();
  if (!warnings.length) {
    return null;
  }
  return (
    <ul className="slipway-Warnings" aria-label={trans.__('Warnings')}>
      {warnings.map((warning, index) => (
        <li key={index}>
          <Prose text={warning.message} />
        </li>
      ))}
    </ul>
  );
}

function ProofLine({ model }: { model: PublishModel }): JSX.Element {
  const { trans, locale } = useContext();
  const { proof, proofProblem } = model;
  if (proofProblem && !model.problem) {
    return <Problem error={proofProblem} retry={() => void model.prove()} />;
  }
  if (!proof || (proof.done && !model.proofCurrent)) {
    return (
      <p className="slipway-Proof" role="status">
        <span className="slipway-Dim">{trans.__('Not proved.')}</span>
        <Button disabled={!model.filled} onClick={() => void model.prove()}>
          {trans.__('Prove')}
        </Button>
      </p>
    );
  }
  if (!proof.done) {
    return (
      <div className="slipway-Proof" role="status">
        <span>{trans.__('Proving: %1', proof.step)}</span>
        <Meter label={trans.__('Proof')} value={proof.fraction} text={percent(proof.fraction, locale)} />
        <Button onClick={() => void model.cancelProof()}>{trans.__('Cancel proof')}</Button>
      </div>
    );
  }
  const verdict = proof.plan?.proof;
  if (!verdict) {
    return (
      <p className="slipway-Proof" role="status">
        {proof.step}
        <Button onClick={() => void model.prove()}>{trans.__('Prove again')}</Button>
      </p>
    );
  }
  return (
    <div className="slipway-Proof" data-verdict={verdict.verdict} role="status">
      <p>
        <strong>{verdictWords(verdict, trans)}</strong>
        {`, ${duration(verdict.seconds)}`}
        {verdict.reason && (
          <span className="slipway-Dim">
            {' '}
            <Prose text={verdict.reason} />
          </span>
        )}
      </p>
      {verdict.differences.length > 0 && (
        <table className="slipway-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{trans.__('In the notebook')}</th>
              <th scope="col">{trans.__('In a clean process')}</th>
            </tr>
          </thead>
          <tbody>
            {verdict.differences.map(one => (
              <tr key={one.name}>
                <td>{one.name}</td>
                <td>{one.expected}</td>
                <td>{one.found}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
