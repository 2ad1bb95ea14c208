/** On each cell that was run: who, how long, or its place in the queue. Never written into the file. */
import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { Panel } from '@lumino/widgets';
import * as React from 'react';

import type { Execution } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { absolute, clock, duration, initials } from '../ui/format';
import '../../style/base.css';
import '../../style/kernels.css';
import type { LiveKernel } from './model';
import { colour, queueWords, short, statusWords, took } from './words';

/** While a cell runs, its seconds are counted. */
const TICK = 1_000;

export class Marks implements IDisposable {
  constructor(
    private readonly context: Context,
    private readonly panel: NotebookPanel,
    private readonly live: LiveKernel
  ) {
    live.changed.connect(this.draw, this);
    void panel.context.ready.then(() => {
      if (!this.isDisposed) {
        panel.content.model?.cells.changed.connect(this.draw, this);
        this.draw();
      }
    });
  }

  isDisposed = false;

  dispose(): void {
    this.isDisposed = true;
    Signal.clearData(this);
    this.shown.forEach(view => view.dispose());
    this.shown.clear();
    clearInterval(this.ticking);
  }

  private draw(): void {
    const cells = new Map(this.panel.content.widgets.map(cell => [cell.model.id, cell]));
    for (const [id, view] of this.shown) {
      if (!cells.has(id) || view.isDisposed || !this.live.last(id)) {
        view.dispose();
        this.shown.delete(id);
      }
    }
    let runs = false;
    for (const [id, cell] of cells) {
      const last = this.live.last(id);
      if (last && cell.model.type === 'code') {
        runs ||= !last.ended_at;
        const view = this.shown.get(id);
        if (view) {
          view.tell(last);
        } else {
          this.attach(cell, last);
        }
      }
    }
    this.tick(runs);
  }

  private attach(cell: Cell, last: Execution): void {
    const view = new Mark(this.context, this.live, last);
    this.shown.set(cell.model.id, view);
    // A cell that was never scrolled to has no children yet.
    void cell.ready.then(() => {
      const host = [...cell.children()].find(
        child => child instanceof Panel && child.hasClass('jp-Cell-inputWrapper')
      );
      if (host && !view.isDisposed) {
        (host as Panel).addWidget(view);
      }
    });
  }

  private tick(runs: boolean): void {
    if (!runs) {
      clearInterval(this.ticking);
      this.ticking = undefined;
    } else {
      this.ticking ??= setInterval(() => this.shown.forEach(view => view.tick()), TICK);
    }
  }

  private readonly shown = new Map<string, Mark>();
  private ticking: ReturnType<typeof setInterval> | undefined;
}

class Mark extends SlipwayWidget {
  constructor(context: Context, live: LiveKernel, last: Execution) {
    const state = { last };
    super(context, () => <MarkView live={live} execution={state.last} />);
    this.state = state;
    this.addClass('slipway-Mark');
  }

  tell(last: Execution): void {
    this.state.last = last;
    this.update();
  }

  tick(): void {
    if (!this.state.last.ended_at) {
      this.update();
    }
  }

  private readonly state: { last: Execution };
}

export function MarkView(props: { live: LiveKernel; execution: Execution; now?: number }): JSX.Element {
  const { trans, locale } = useContext();
  const { live, execution } = props;
  const { status, person } = execution;
  const waiting = live.waiting(execution.id);
  const seconds = took(execution, props.now ?? Date.now());
  const figure =
    seconds === null ? '' : status === 'running' ? duration(Math.floor(seconds)) : short(seconds);
  const silent = live.silentSince;
  const name = person === live.me ? trans.__('you') : person;
  const text =
    status === 'queued' && waiting
      ? queueWords(waiting, live.kernel?.queue ?? [], live.me, trans, locale)
      : status === 'queued'
        ? trans.__('queued')
        : status === 'aborted' && !execution.started_at
          ? trans.__('not run')
          : status === 'running' && silent
            ? trans.__('no answer since %1', clock(silent, locale))
            : waiting?.asks
              ? trans.__('asks %1', name)
              : figure;
  const title = [
    trans.__('%1 · %2', person, statusWords(status, trans)),
    absolute(execution.started_at ?? execution.queued_at, locale),
    figure && trans.__('took %1', figure),
    execution.reason
  ]
    .filter(Boolean)
    .join('\n');
  return (
    <span
      className="slipway-Mark-chip"
      data-status={status}
      title={title}
      role="img"
      aria-label={trans.__('%1: %2, %3', name, statusWords(status, trans), text)}
    >
      <span className="slipway-Face" style={{ background: colour(person) }}>
        {initials(person)}
      </span>
      {text}
    </span>
  );
}
