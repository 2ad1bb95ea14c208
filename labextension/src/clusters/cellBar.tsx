/** The bar under a running cell: how many of its tasks are done, what runs, and a way to stop it. */
import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { UseSignal } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { PanelLayout } from '@lumino/widgets';
import * as React from 'react';

import type { Progress } from '../api';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Button, Meter } from '../ui/parts';
import '../../style/clusters.css';
import type { NotebookWork } from './work';

/** Puts the bar under whichever cell runs, for as long as the cluster works for it. */
export class CellBars implements IDisposable {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel,
    private readonly work: NotebookWork
  ) {
    work.changed.connect(this.draw, this);
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    this.bar?.dispose();
    Signal.clearData(this);
  }

  private draw(): void {
    const { work, bar } = this;
    const cell = work.progress ? work.cell : '';
    if (cell === this.cell && bar && !bar.isDisposed) {
      return;
    }
    bar?.dispose();
    this.bar = null;
    this.cell = cell;
    const host = this.panel.content.widgets.find(one => one.model.id === cell);
    if (host) {
      const fresh = new SlipwayWidget(this.context, () => <Bar work={work} />);
      fresh.addClass('slipway-CellBar');
      this.bar = fresh;
      void host.ready.then(() => insert(host, fresh));
    }
  }

  private bar: SlipwayWidget | null = null;
  private cell = '';
}

/** Between what was typed and what comes out. */
function insert(cell: Cell, bar: SlipwayWidget): void {
  if (bar.isDisposed || !(cell.layout instanceof PanelLayout)) {
    return;
  }
  const output = cell.layout.widgets.findIndex(child => child.hasClass('jp-Cell-outputWrapper'));
  if (output < 0) {
    cell.layout.addWidget(bar);
  } else {
    cell.layout.insertWidget(output, bar);
  }
}

function Bar({ work }: { work: NotebookWork }): JSX.Element {
  return (
    <UseSignal signal={work.changed}>
      {() => (work.progress ? <ProgressLine progress={work.progress} cancelling={work.cancelling} /> : <></>)}
    </UseSignal>
  );
}

export function ProgressLine(props: { progress: Progress; cancelling: boolean }): JSX.Element {
  const { trans, commands, locale } = useContext();
  const { done, total, stage, failed } = props.progress;
  const count = (value: number) => new Intl.NumberFormat(locale).format(value);
  const figures = trans.__('%1 of %2 tasks', count(done), count(total));
  return (
    <>
      <Meter
        label={trans.__('Work on the cluster')}
        value={total ? done / total : 0}
        text={failed ? trans.__('%1, %2 failed', figures, count(failed)) : figures}
      />
      <code className="slipway-Ellipsis" title={stage || undefined}>
        {stage}
      </code>
      <Button
        disabled={props.cancelling}
        title={trans.__("Stop this cell's work on the cluster")}
        onClick={() => void commands.execute(CommandIDs.cancelWork)}
      >
        {props.cancelling ? trans.__('Cancelling…') : trans.__('Cancel')}
      </Button>
    </>
  );
}
