/** What the pages about a notebook say alike: its name with the folder beside it, and a person. */
import * as React from 'react';

import { useContext } from '../ui/context';
import { Avatar, Button } from '../ui/parts';

export function PathTitle({ path }: { path: string }): JSX.Element {
  const { commands, trans } = useContext();
  const name = path.split('/').pop() ?? path;
  const folder = path.slice(0, -name.length).replace(/\/$/, '');
  return (
    <>
      <h2 className="slipway-Ellipsis">
        <Button
          kind="link"
          title={trans.__('Open %1', path)}
          onClick={() => void commands.execute('docmanager:open', { path, factory: 'Notebook' })}
        >
          {name}
        </Button>
      </h2>
      {folder && <span className="slipway-Dim slipway-Ellipsis">{folder}</span>}
    </>
  );
}

export function Who({ name }: { name: string }): JSX.Element {
  return (
    <span className="slipway-Who">
      <Avatar name={name} />
      <span className="slipway-Ellipsis">{name}</span>
    </span>
  );
}
