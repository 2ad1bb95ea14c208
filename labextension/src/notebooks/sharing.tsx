/** What one lets colleagues see of uncommitted work, and what they changed: off until it is switched on here. */
import * as React from 'react';

import { asApiError, type ApiError, type RadarView, type Seen } from '../api';
import { comparing } from '../api/compare';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { Button, Empty, Problem, Skeleton, Time } from '../ui/parts';
import { useAsked } from './asked';
import { Who } from './title';

export function Sharing({ path }: { path: string }): JSX.Element {
  const { api, overview, trans } = useContext();
  const ask = React.useCallback(() => comparing(api).radar(path), [api, path]);
  const { found, error, again } = useAsked(path, ask);
  const [refused, setRefused] = React.useState<ApiError | null>(null);
  const [busy, setBusy] = React.useState(false);
  if (error) {
    return <Problem error={error} retry={again} />;
  }
  if (!found) {
    return <Skeleton lines={4} />;
  }
  if (found.outside) {
    return <Empty>{found.outside}</Empty>;
  }
  const set = async (sharing: RadarView['sharing'], remote: string) => {
    setBusy(true);
    try {
      await comparing(api).share(path, sharing, remote);
      setRefused(null);
      overview.announce({ kind: 'notebook', id: path });
    } catch (reason) {
      setRefused(asApiError(reason));
    } finally {
      setBusy(false);
    }
  };
  const words: Record<RadarView['sharing'], string> = {
    off: trans.__('Nothing: nobody sees it, and you see nobody'),
    notebook: trans.__('This notebook'),
    repository: trans.__('All notebooks of this repository')
  };
  return (
    <>
      <div className="slipway-Fields slipway-Sharing">
        <Field
          label={trans.__('Share my uncommitted work')}
          hint={trans.__('With colleagues who share theirs, cell by cell, until you commit.')}
        >
          {attributes => (
            <select
              {...attributes}
              value={found.sharing}
              disabled={busy}
              onChange={event => void set(event.target.value as RadarView['sharing'], found.remote)}
            >
              {Object.entries(words).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        {found.remotes.length > 0 && (
          <Field
            label={trans.__('Through')}
            hint={trans.__('Colleagues with a clone of their own see it through a remote.')}
          >
            {attributes => (
              <select
                {...attributes}
                value={found.remote}
                disabled={busy || found.sharing === 'off'}
                onChange={event => void set(found.sharing, event.target.value)}
              >
                <option value="">{trans.__('this folder and its worktrees')}</option>
                {found.remotes.map(remote => (
                  <option key={remote} value={remote}>
                    {remote}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
      </div>
      {refused && <Problem error={refused} />}
      {found.problem && (
        <div className="slipway-Banner" role="status">
          <p>{found.problem}</p>
        </div>
      )}
      {found.sharing !== 'off' && <Colleagues path={path} seen={found.seen} />}
    </>
  );
}

function Colleagues({ path, seen }: { path: string; seen: readonly Seen[] }): JSX.Element {
  const { commands, trans } = useContext();
  const people = [...new Set(seen.map(one => one.who))];
  if (!people.length) {
    return <Empty>{trans.__('Nobody who shares has uncommitted changes in this notebook.')}</Empty>;
  }
  return (
    <ul className="slipway-List slipway-Colleagues">
      {people.map(who => {
        const theirs = seen.filter(one => one.who === who);
        const both = theirs.filter(one => one.both).length;
        return (
          <li key={who}>
            <Who name={who} />
            <span>
              {trans._n('changed %1 cell', 'changed %1 cells', theirs.length)}
              {both > 0 && (
                <strong>
                  {' · '}
                  {theirs.length === 1
                    ? trans.__('you changed it, too')
                    : trans.__('%1 of them you changed, too', both)}
                </strong>
              )}
            </span>
            <span className="slipway-Dim">
              <Time
                iso={
                  theirs
                    .map(one => one.at)
                    .sort()
                    .pop() ?? ''
                }
              />
            </span>
            <Button
              onClick={() =>
                void commands.execute(CommandIDs.compareNotebook, { path, base: '', other: `@${who}` })
              }
            >
              {trans.__('Compare')}
            </Button>
          </li>
        );
      })}
    </ul>
  );
}
