/** Where a version comes from and what it runs in: shown on the job page and on the run page. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Environment as Packages, Version } from '../api';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Button, Fact } from '../ui/parts';
import { cellWords } from '../ui/words';

/** Notebook, cell and revision, with the way there, once it is known which folder the server shows. */
export function Provenance(props: { version: Version | null }): JSX.Element {
  const { overview } = useContext();
  return <UseSignal signal={overview.changed}>{() => <Origin {...props} />}</UseSignal>;
}

function Origin({ version }: { version: Version | null }): JSX.Element | null {
  const { trans, commands, overview } = useContext();
  if (!version) {
    return null;
  }
  const path = overview.pathOf(version.notebook);
  const cell = version.cells.find(one => one.id === version.cell);
  const words = trans.__(
    '%1, cell %2',
    path ?? version.notebook,
    cell ? cellWords(cell.index) : version.cell
  );
  return (
    <Fact name={trans.__('Source')}>
      {path ? (
        <Button
          kind="link"
          onClick={() =>
            void commands.execute(CommandIDs.openCell, {
              notebook: path,
              cell: version.cell,
              index: cell?.index
            })
          }
        >
          {words}
        </Button>
      ) : (
        words
      )}
      {version.revision && (
        <span className="slipway-Dim">
          {' '}
          {trans.__('commit %1', version.revision.commit.slice(0, 8))}
          {version.revision.dirty && ` ${trans.__('with changes')}`}
        </span>
      )}
    </Fact>
  );
}

export function Environment({ environment, open }: { environment: Packages; open?: boolean }): JSX.Element {
  const { trans } = useContext();
  const { packages, locked, python, note } = environment;
  return (
    <details open={open}>
      <summary>
        {[
          trans.__('Python %1', python),
          trans._n('%1 package', '%1 packages', packages.length),
          locked ? trans.__('locked') : trans.__('not locked')
        ].join(', ')}
      </summary>
      {note && <p className="slipway-Dim">{note}</p>}
      <ul className="slipway-Packages">
        {packages.map(one => (
          <li key={one.name}>
            {one.name} <span className="slipway-Dim">{one.version}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
