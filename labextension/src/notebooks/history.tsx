/** A notebook's past: its commits and one's own kept work, who made each cell what it is, what colleagues do. */
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import '../../style/parts.css';
import '../../style/pages.css';
import '../../style/history.css';

import type { NotebookHistory } from '../api';
import { comparing } from '../api/compare';
import type { Drawing } from '../pages';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Button, Empty, IconButton, Problem, Skeleton, Time } from '../ui/parts';
import { Tabs } from '../ui/tabs';
import { useAsked } from './asked';
import { CellList, CellPast } from './cellHistory';
import { short } from './choice';
import { Sharing } from './sharing';
import { PathTitle, Who } from './title';

export type HistoryTab = 'versions' | 'cells' | 'colleagues';

export interface Wanted {
  tab: HistoryTab;
  /** A cell's id or index in the saved notebook: its own history. */
  cell: string;
  /** Its id in the open one; '' when that is not known. */
  id: string;
}

export function HistoryPage(props: { path: string; wanted: Wanted; drawing: Drawing }): JSX.Element {
  const { trans } = useContext();
  const { path, drawing } = props;
  const [tab, setTab] = React.useState(props.wanted.tab);
  const [{ cell, id }, setCell] = React.useState({ cell: props.wanted.cell, id: props.wanted.id });
  const [round, setRound] = React.useState(0);
  return (
    <div className="slipway-Page slipway-HistoryPage">
      <div className="slipway-Head">
        <div className="slipway-Head-title">
          <PathTitle path={path} />
          <div className="slipway-Buttons">
            <IconButton icon={refreshIcon} label={trans.__('Refresh')} onClick={() => setRound(round + 1)} />
          </div>
        </div>
      </div>
      <Tabs<HistoryTab>
        label={trans.__('History')}
        current={tab}
        onChange={setTab}
        tabs={[
          {
            id: 'versions',
            label: trans.__('Versions'),
            view: () => <Versions key={round} path={path} />
          },
          {
            id: 'cells',
            label: trans.__('Cells'),
            view: () =>
              cell ? (
                <CellPast
                  key={round}
                  {...{ path, cell, id, drawing }}
                  back={() => setCell({ cell: '', id: '' })}
                />
              ) : (
                <CellList key={round} path={path} choose={chosen => setCell({ cell: chosen, id: '' })} />
              )
          },
          {
            id: 'colleagues',
            label: trans.__('Colleagues'),
            view: () => <Sharing key={round} path={path} />
          }
        ]}
      />
    </div>
  );
}

interface Row {
  id: string;
  who: string;
  at: string;
  what: string;
  kept: boolean;
}

function Versions({ path }: { path: string }): JSX.Element {
  const { api, commands, trans } = useContext();
  const ask = React.useCallback(() => comparing(api).history(path), [api, path]);
  const { found, error, again } = useAsked(path, ask);
  if (error) {
    return <Problem error={error} retry={again} />;
  }
  if (!found) {
    return <Skeleton lines={6} />;
  }
  const rows = merged(found, trans.__('Uncommitted work'));
  const compare = (base: string, other: string, title: string) =>
    void commands.execute(CommandIDs.compareNotebook, { path, base, other, title });
  return (
    <>
      {found.in_conflict && (
        <div className="slipway-Banner" role="status">
          <p>{trans.__('A merge left conflicts in this notebook.')}</p>
          <Button onClick={() => void commands.execute(CommandIDs.resolveNotebook, { path })}>
            {trans.__('Resolve')}
          </Button>
        </div>
      )}
      {!rows.length ? (
        <Empty>{trans.__('Not committed yet. With the first commit its history begins.')}</Empty>
      ) : (
        <table className="slipway-Table slipway-History">
          <thead>
            <tr>
              <th scope="col">{trans.__('Version')}</th>
              <th scope="col">{trans.__('Who')}</th>
              <th scope="col">{trans.__('When')}</th>
              <th scope="col">
                <span className="slipway-History-unseen">{trans.__('Actions')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={row.id} data-kept={row.kept}>
                <td>
                  <span className="slipway-History-what">
                    <span>{row.what}</span> <code className="slipway-Dim">{short(row.id)}</code>
                  </span>
                </td>
                <td>
                  <Who name={row.who} />
                </td>
                <td>
                  <Time iso={row.at} />
                </td>
                <td>
                  <div className="slipway-Buttons">
                    {!row.kept && index < rows.length - 1 && (
                      <Button
                        title={trans.__('What this commit changed')}
                        onClick={() =>
                          compare(before(rows, index), row.id, trans.__('before %1', short(row.id)))
                        }
                      >
                        {trans.__('Changes')}
                      </Button>
                    )}
                    <Button
                      title={trans.__('What changed from this version to the file as it is saved')}
                      onClick={() => compare(row.id, '', row.what)}
                    >
                      {trans.__('Compare')}
                    </Button>
                    <Button
                      title={trans.__('Make the file what it was then; what it is now is kept')}
                      onClick={() =>
                        void commands
                          .execute(CommandIDs.restoreRevision, { path, revision: row.id })
                          .then(again)
                      }
                    >
                      {trans.__('Restore')}
                    </Button>
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

/** The commit before one. */
function before(rows: readonly Row[], index: number): string {
  return rows.slice(index + 1).find(row => !row.kept)?.id ?? rows[index].id;
}

/** Commits and one's own kept work, newest first. */
function merged(history: NotebookHistory, uncommitted: string): Row[] {
  const rows: Row[] = [
    ...history.revisions.map(one => ({
      id: one.id,
      who: one.author,
      at: one.at,
      what: one.message,
      kept: false
    })),
    ...history.snapshots.map(one => ({
      id: one.id,
      who: one.author,
      at: one.at,
      what: uncommitted,
      kept: true
    }))
  ];
  return rows.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
