/** Two versions side by side: cells by nbdime's own widget, module, parameters and packages as text. */
import * as React from 'react';

import '../../style/parts.css';
import '../../style/pages.css';

import { type ApiError, asApiError, type Change, type Comparison, type Version } from '../api';
import { Changes, Compared as CellsCompared } from '../notebooks/changes';
import type { Drawing } from '../pages';
import { TextDiff } from '../ui/code';
import { useContext } from '../ui/context';
import { Check } from '../ui/fields';
import { Empty, Problem, Skeleton } from '../ui/parts';

export function ComparePage(props: {
  job: string;
  old?: number;
  new?: number;
  drawing: Drawing;
}): JSX.Element {
  const { api, trans } = useContext();
  const { job } = props;
  const [versions, setVersions] = React.useState<readonly Version[]>([]);
  const [pair, setPair] = React.useState<{ old: number; new: number } | null>(null);
  const [comparison, setComparison] = React.useState<Comparison | null>(null);
  const [error, setError] = React.useState<ApiError | null>(null);

  React.useEffect(() => {
    api.jobs.versions(job).then(({ items }) => {
      const newest = props.new ?? items[0]?.number ?? 1;
      setVersions(items);
      setPair({ new: newest, old: props.old ?? Math.max(1, newest - 1) });
    }, refused);
    function refused(reason: unknown) {
      setError(asApiError(reason));
    }
  }, [api, job, props.old, props.new]);

  React.useEffect(() => {
    let current = true;
    if (pair) {
      api.jobs.diff(job, pair.old, pair.new).then(
        found => {
          if (current) {
            setComparison(found);
            setError(null);
          }
        },
        (reason: unknown) => current && setError(asApiError(reason))
      );
    }
    return () => {
      current = false;
    };
  }, [api, job, pair]);

  const choice = (which: 'old' | 'new', label: string) =>
    pair && (
      <select
        className="slipway-Input slipway-mod-auto"
        aria-label={label}
        value={pair[which]}
        onChange={event => setPair({ ...pair, [which]: Number(event.target.value) })}
      >
        {versions.map(version => (
          <option key={version.number} value={version.number}>
            v{version.number}
          </option>
        ))}
      </select>
    );
  return (
    <div className="slipway-Page">
      <div className="slipway-Head">
        <div className="slipway-Head-title">
          <h2>{job}</h2>
          {choice('old', trans.__('Older version'))}
          <span aria-hidden="true" className="slipway-Arrow">
            →
          </span>
          {choice('new', trans.__('Newer version'))}
        </div>
      </div>
      {error && <Problem error={error} />}
      {comparison ? (
        <Compared comparison={comparison} drawing={props.drawing} />
      ) : (
        !error && <Skeleton lines={6} />
      )}
    </div>
  );
}

function Compared({ comparison, drawing }: { comparison: Comparison; drawing: Drawing }): JSX.Element {
  const { trans } = useContext();
  const [hide, setHide] = React.useState(true);
  const { module, parameters, packages, notebook_diff: cells } = comparison;
  const compared = React.useMemo(
    () => new CellsCompared(comparison.notebook_old, cells),
    [comparison, cells]
  );
  if (comparison.same || !(cells.length || module || parameters.length || packages.length)) {
    return (
      <Empty>
        {trans.__(
          'Version %1 and version %2 run the same code in the same way.',
          comparison.old,
          comparison.new
        )}
      </Empty>
    );
  }
  return (
    <div className="slipway-Compare">
      <section>
        <h3>
          {trans.__('Cells')}
          <Check label={trans.__('Hide unchanged cells')} checked={hide} onChange={setHide} />
        </h3>
        {cells.length ? (
          <Changes compared={compared} drawing={drawing} hide={hide} />
        ) : (
          <p className="slipway-Dim">{trans.__('The cells are the same.')}</p>
        )}
      </section>
      <Differences title={trans.__('Parameters')} changes={parameters} />
      <Differences title={trans.__('Packages')} changes={packages} />
      {module && (
        <section>
          <h3>{trans.__('Module')}</h3>
          <TextDiff text={module} label={trans.__('Difference of the modules')} />
        </section>
      )}
    </div>
  );
}

function Differences({ title, changes }: { title: string; changes: readonly Change[] }): JSX.Element | null {
  const { trans } = useContext();
  if (!changes.length) {
    return null;
  }
  return (
    <section>
      <h3>{title}</h3>
      <table className="slipway-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col">{trans.__('Before')}</th>
            <th scope="col">{trans.__('After')}</th>
          </tr>
        </thead>
        <tbody>
          {changes.map(change => (
            <tr key={change.name}>
              <td>{change.name}</td>
              <td>{change.old || trans.__('not there')}</td>
              <td>{change.new || trans.__('gone')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
