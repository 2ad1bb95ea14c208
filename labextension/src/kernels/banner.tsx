/** Above a notebook whose kernel died, does not answer or has no room to write: why, and what can be done now. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Button } from '../ui/parts';
import '../../style/kernels.css';
import type { LiveKernel } from './model';
import { deathWords, fullWords, may, patienceWords, silenceWords } from './words';

/** Starts the kernel anew; `ask`: variables that it still has would be lost. */
type Restart = (ask: boolean) => void;

export function banner(
  context: Context,
  panel: NotebookPanel,
  live: LiveKernel,
  restart: Restart
): SlipwayWidget {
  const dismissed = new Set<string>();
  const fit = (height: number) => {
    // The place above a notebook gives what is asked for in so many pixels, and else nothing.
    widget.node.style.minHeight = `${height}px`;
    widget.parent?.fit();
  };
  const widget = new SlipwayWidget(context, () => (
    <Measured tell={fit}>
      <UseSignal signal={live.changed}>
        {() => <Banner live={live} panel={panel} dismissed={dismissed} restart={restart} />}
      </UseSignal>
    </Measured>
  ));
  widget.addClass('slipway-KernelBanner');
  return widget;
}

/** Tells how high its inside is, and again whenever that changes. */
function Measured(props: { tell: (height: number) => void; children: React.ReactNode }): JSX.Element {
  const box = React.useRef<HTMLDivElement>(null);
  const { tell } = props;
  React.useEffect(() => {
    const observer = new ResizeObserver(([entry]) => tell(Math.ceil(entry.contentRect.height)));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, [tell]);
  return (
    <div ref={box} className="slipway-Measured">
      {props.children}
    </div>
  );
}

function Banner(props: {
  live: LiveKernel;
  panel: NotebookPanel;
  dismissed: Set<string>;
  restart: Restart;
}): JSX.Element {
  const { trans, locale } = useContext();
  const { live, panel, dismissed } = props;
  const [, redraw] = React.useState(0);
  const { kernel } = live;
  const silence = kernel ? silenceWords(kernel, live.lostSince, trans, locale) : '';
  if (kernel && silence) {
    return (
      <div className="slipway-Banner" role="status">
        <p>
          {silence} {patienceWords(kernel, live.lostSince, trans)}
        </p>
        {!live.lostSince && may(kernel.role, 'operator') && (
          <Button onClick={() => props.restart(true)}>{trans.__('Restart…')}</Button>
        )}
      </div>
    );
  }
  const died = kernel?.died;
  const gone = kernel?.state === 'dead';
  // Whoever runs something again has seen it.
  const seen = died && !gone && live.executions.some(one => (one.started_at ?? '') > died.at);
  if (!kernel || !died || seen || (dismissed.has(died.at) && !gone)) {
    const full = kernel ? fullWords(kernel, trans) : '';
    return full ? (
      <div className="slipway-Banner" role="status">
        <p>{full}</p>
      </div>
    ) : (
      <></>
    );
  }
  const cell = died.running?.cell ?? '';
  const jump = cell && panel.content.widgets.some(one => one.model.id === cell);
  return (
    <div className="slipway-Banner" data-kind="error" role="alert">
      <p>
        {deathWords(died, id => cellName(panel, live, id), live.me, trans)}{' '}
        {gone ? '' : trans.__('It has started anew; its variables are gone.')}
      </p>
      {jump && <Button onClick={() => show(panel, cell)}>{trans.__('Show the cell')}</Button>}
      {gone && may(kernel.role, 'operator') && (
        <Button kind="primary" onClick={() => props.restart(false)}>
          {trans.__('Restart')}
        </Button>
      )}
      {!gone && (
        <Button
          onClick={() => {
            dismissed.add(died.at);
            redraw(count => count + 1);
          }}
        >
          {trans.__('Close')}
        </Button>
      )}
    </div>
  );
}

/** `[7]` as its prompt says, else the first words of its code. */
export function cellName(panel: NotebookPanel, live: LiveKernel, id: string): string {
  const count = live.last(id)?.count;
  const cell = panel.content.widgets.find(one => one.model.id === id);
  const line = cell?.model.sharedModel
    .getSource()
    .split('\n')
    .find(one => one.trim());
  return count ? `[${count}]` : line ? `“${line.slice(0, 40)}”` : id;
}

export function show(panel: NotebookPanel, id: string): void {
  const index = panel.content.widgets.findIndex(one => one.model.id === id);
  if (index >= 0) {
    panel.content.activeCellIndex = index;
    void panel.content.scrollToItem(index, 'center');
  }
}
