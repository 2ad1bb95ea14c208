/** A notebook's history: who changed it when, each revision to compare with and to restore. */
import * as React from 'react';

import '../../style/parts.css';
import '../../style/pages.css';

import { type ApiError, asApiError, type NotebookHistory } from '../api';
import { CommandIDs } from '../tokens';
import { useContext } from '../ui/context';
import { Avatar, Button, Empty, Problem, Skeleton, Time } from '../ui/parts';

interface Row {
  id: string;
  who: string;
  at: string;
  what: string;
  kept: boolean;
}

export function HistoryPage({ path }: { path: string }): JSX.Element {
  const { api, commands, trans } = useContext();
  const [history, setHistory] = React.useState<NotebookHistory | null>(null);
  const [error, setError] = React.useState<ApiError | null>(null);
  const load = React.useCallback(() => {
    setError(null);
    api.compare.history(path).then(setHistory, (reason: unknown) => setError(asApiError(reason)));
  }, [api, path]);
  React.useEffect(load, [load]);

  const restore = async (revision: string) => {
    await commands.execute(CommandIDs.restoreRevision, { path, revision });
    load();
  };
  const rows = history ? merged(history, trans.__('Uncommitted work')) : [];
  return (
    <div className="slipway-Page">
      <div className="slipway-Head">
        <div className="slipway-Head-title">
          <h2>{trans.__('History of %1', path)}</h2>
        </div>
        <div className="slipway-Head-actions">
          <Button onClick={load}>{trans.__('Refresh')}</Button>
        </div>
      </div>
      {error && <Problem error={error} retry={load} />}
      {!history && !error && <Skeleton lines={6} />}
      {history && !rows.length && (
        <Empty>
          {trans.__('This notebook has not been committed yet. Commit it, and its history begins.')}
        </Empty>
      )}
      {rows.length > 0 && (
        <table className="slipway-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{trans.__('Who')}</th>
              <th scope="col">{trans.__('When')}</th>
              <th scope="col">{trans.__('Actions')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <tr key={row.id}>
                <td>
                  {row.kept ? <em>{row.what}</em> : row.what}{' '}
                  <code className="slipway-Dim">{row.id.slice(0, 8)}</code>
                </td>
                <td>
                  <Avatar name={row.who} /> {row.who}
                </td>
                <td>
                  <Time iso={row.at} />
                </td>
                <td>
                  <Button
                    onClick={() =>
                      void commands.execute(CommandIDs.compareNotebook, {
                        path,
                        base: row.id,
                        title: trans.__('Since %1', row.what)
                      })
                    }
                  >
                    {trans.__('Compare')}
                  </Button>{' '}
                  <Button onClick={() => void restore(row.id)}>{trans.__('Restore')}</Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

/** Commits and one's own snapshots, newest first. */
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
