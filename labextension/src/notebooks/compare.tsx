/** Two states of one notebook side by side, cell by cell, by nbdime's own widget. */
import type { INotebookContent } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDiffEntry } from 'nbdime/lib/diff/diffentries';
import { NotebookDiffModel } from 'nbdime/lib/diff/model';
import { NotebookDiffWidget } from 'nbdime/lib/diff/widget';
import * as React from 'react';

import 'nbdime/lib/common/collapsible.css';
import 'nbdime/lib/styles/common.css';
import 'nbdime/lib/styles/diff.css';
import 'nbdime/lib/styles/variables.css';
import 'nbdime/lib/upstreaming/flexpanel.css';
import '../../style/parts.css';
import '../../style/pages.css';

import { type ApiError, asApiError, type NotebookDiff } from '../api';
import type { Drawing } from '../pages';
import { useContext } from '../ui/context';
import { Check } from '../ui/fields';
import { useLumino } from '../ui/lumino';
import { Button, Empty, Problem, Skeleton } from '../ui/parts';

export interface Asked {
  path: string;
  base: string;
  other: string;
  /** An open notebook that is taken in the place of its file. */
  unsaved?: NotebookPanel;
  title: string;
  drawing: Drawing;
}

export function NotebookComparison(asked: Asked): JSX.Element {
  const { api, trans } = useContext();
  const { path, base, other, unsaved } = asked;
  const [outputs, setOutputs] = React.useState(false);
  const [hide, setHide] = React.useState(true);
  const [found, setFound] = React.useState<NotebookDiff | null>(null);
  const [error, setError] = React.useState<ApiError | null>(null);
  const [asking, setAsking] = React.useState(0);

  React.useEffect(() => {
    let current = true;
    const open = unsaved && !unsaved.isDisposed ? unsaved.content.model : null;
    const contents = open ? { other: open.toJSON() as Record<string, unknown> } : {};
    setError(null);
    api.compare.diff({ path, base, other, outputs, contents: contents as never }).then(
      diff => current && setFound(diff),
      (reason: unknown) => current && setError(asApiError(reason))
    );
    return () => {
      current = false;
    };
  }, [api, path, base, other, unsaved, outputs, asking]);

  return (
    <div className="slipway-Page">
      <div className="slipway-Head">
        <div className="slipway-Head-title">
          <h2>{path}</h2>
          <span className="slipway-Dim">{asked.title || base}</span>
        </div>
        <div className="slipway-Head-actions">
          <Check label={trans.__('Hide unchanged cells')} checked={hide} onChange={setHide} />
          <Check label={trans.__('Show outputs')} checked={outputs} onChange={setOutputs} />
          <Button onClick={() => setAsking(asking + 1)}>{trans.__('Compare again')}</Button>
        </div>
      </div>
      {error && <Problem error={error} retry={() => setAsking(asking + 1)} />}
      {!found && !error && <Skeleton lines={6} />}
      {found &&
        (found.same ? (
          <Empty>
            {outputs ? trans.__('Nothing changed.') : trans.__('Nothing but outputs may have changed.')}
          </Empty>
        ) : (
          <Cells found={found} drawing={asked.drawing} hide={hide} />
        ))}
    </div>
  );
}

function Cells(props: { found: NotebookDiff; drawing: Drawing; hide: boolean }): JSX.Element {
  const { found, drawing, hide } = props;
  const host = useLumino(() => {
    const { editors, rendermime, translator } = drawing;
    const widget = new NotebookDiffWidget({
      model: new NotebookDiffModel(
        found.base as unknown as INotebookContent,
        found.diff as unknown as IDiffEntry[]
      ),
      rendermime,
      editorFactory: editors.factoryService.newInlineEditor,
      translator
    });
    void widget.init();
    return { widget };
  }, [found, drawing]);
  return (
    <div className="nbdime-Widget slipway-Nbdime" data-hide={hide}>
      <div className="nbdime-root" ref={host} />
    </div>
  );
}
