/** The button beside the kernel's name: who is here; it opens the kernel's view. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import { usersIcon, UseSignal } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { asApiError, type Execution, type SharedKernel, type Waiting } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { duration, initials } from '../ui/format';
import { Button, Time } from '../ui/parts';
import '../../style/kernels.css';
import { cellName, show } from './banner';
import type { LiveKernel } from './model';
import {
  colour,
  deathWords,
  may,
  names,
  patienceWords,
  queueWords,
  ROLES,
  roleWords,
  short,
  silenceWords,
  statusWords,
  took
} from './words';

/** How many faces stand side by side. */
const FACES = 3;
/** How many executions the view lists at first. */
const LISTED = 12;

export interface Shown {
  panel: NotebookPanel;
  live: LiveKernel;
}

export function peopleButton(context: Context, panel: NotebookPanel, live: LiveKernel): SlipwayWidget {
  const widget = new SlipwayWidget(context, () => (
    <UseSignal signal={live.changed}>{() => <PeopleButton panel={panel} live={live} />}</UseSignal>
  ));
  widget.addClass('slipway-People');
  return widget;
}

function PeopleButton({ panel, live }: Shown): JSX.Element {
  const context = useContext();
  const { trans, locale } = context;
  const view = React.useRef<SlipwayWidget | null>(null);
  const [open, setOpen] = React.useState(false);
  const button = React.useRef<HTMLButtonElement>(null);
  React.useEffect(() => () => view.current?.dispose(), []);
  const { kernel } = live;
  if (!kernel) {
    return <></>;
  }
  const people = kernel.people.map(one => one.person);
  const silence = silenceWords(kernel, live.lostSince, trans, locale);
  const here = people.length
    ? trans.__('Kernel: %1 here', names(people, live.me, trans))
    : trans.__('Kernel: nobody here');
  const label = [here, silence].filter(Boolean).join('\n');
  const toggle = () => {
    if (view.current && !view.current.isDisposed) {
      view.current.dispose();
      return;
    }
    view.current = openView(context, { panel, live }, button.current!);
    view.current.disposed.connect(() => setOpen(false));
    setOpen(true);
    void live.refresh();
  };
  return (
    <button
      ref={button}
      type="button"
      className="slipway-PeopleButton"
      aria-haspopup="dialog"
      aria-expanded={open}
      aria-label={label}
      title={label}
      onClick={toggle}
    >
      {people.length > 1 ? (
        <Faces people={people} />
      ) : (
        <usersIcon.react tag="span" className="slipway-PeopleButton-icon" />
      )}
      {kernel.queue.length > 0 && (
        <span className="slipway-PeopleButton-count" title={trans.__('Cells that run or wait')}>
          {kernel.queue.length}
        </span>
      )}
      {silence && (
        <span className="slipway-PeopleButton-warning" aria-hidden="true">
          !
        </span>
      )}
    </button>
  );
}

/** Under the button and above everything: a toolbar would cut it off. Goes with Escape and with a click elsewhere. */
function openView(context: Context, { panel, live }: Shown, button: HTMLElement): SlipwayWidget {
  const close = () => {
    view.dispose();
    button.focus();
  };
  const view = new SlipwayWidget(context, () => (
    <UseSignal signal={live.changed}>
      {() => live.kernel && <KernelView panel={panel} live={live} kernel={live.kernel} close={close} />}
    </UseSignal>
  ));
  const outside = ({ target }: Event) => {
    if (!view.node.contains(target as Node) && !button.contains(target as Node)) {
      view.dispose();
    }
  };
  const escape = ({ key }: KeyboardEvent) => key === 'Escape' && close();
  document.addEventListener('pointerdown', outside, true);
  // The document's: a button that was pressed may be gone, and the focus with it.
  document.addEventListener('keydown', escape);
  view.disposed.connect(() => {
    document.removeEventListener('pointerdown', outside, true);
    document.removeEventListener('keydown', escape);
  });
  const { bottom, right } = button.getBoundingClientRect();
  view.addClass('slipway-KernelPlace');
  view.node.style.top = `${bottom + 4}px`;
  view.node.style.right = `${Math.max(8, window.innerWidth - right)}px`;
  Widget.attach(view, document.body);
  return view;
}

function Faces({ people }: { people: readonly string[] }): JSX.Element {
  const rest = people.length - FACES;
  return (
    <span className="slipway-Faces">
      {people.slice(0, FACES).map(person => (
        <Face key={person} person={person} />
      ))}
      {rest > 0 && <span className="slipway-Face slipway-Face-rest">+{rest}</span>}
    </span>
  );
}

function Face({ person }: { person: string }): JSX.Element {
  return (
    <span className="slipway-Face" style={{ background: colour(person) }} aria-hidden="true">
      {initials(person)}
    </span>
  );
}

export function KernelView(props: Shown & { kernel: SharedKernel; close: () => void }): JSX.Element {
  const { trans, locale } = useContext();
  const { panel, live, kernel } = props;
  const silence = silenceWords(kernel, live.lostSince, trans, locale);
  const [problem, setProblem] = React.useState('');
  const dialog = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => dialog.current?.focus(), []);
  const attempt = (work: Promise<unknown>) => {
    setProblem('');
    work.then(
      () => live.refresh(),
      error => setProblem(asApiError(error).text)
    );
  };
  const jump = (cell: string) => {
    show(panel, cell);
    props.close();
  };
  return (
    <div
      ref={dialog}
      className="slipway-KernelView slipway-View"
      role="dialog"
      aria-label={trans.__('Shared kernel')}
      tabIndex={-1}
    >
      {silence && (
        <p>
          {silence} {patienceWords(kernel, live.lostSince, trans)}
        </p>
      )}
      <People live={live} kernel={kernel} attempt={attempt} />
      {problem && (
        <p className="slipway-KernelView-problem" role="alert">
          {problem}
        </p>
      )}
      <Queue panel={panel} live={live} kernel={kernel} attempt={attempt} jump={jump} />
      {kernel.died && (
        <section>
          <h3>{trans.__('Last death')}</h3>
          <p>
            {deathWords(kernel.died, id => cellName(panel, live, id), live.me, trans)}{' '}
            <span className="slipway-Dim">
              <Time iso={kernel.died.at} />
            </span>
          </p>
        </section>
      )}
      <Executions panel={panel} live={live} jump={jump} />
    </div>
  );
}

function People(props: {
  live: LiveKernel;
  kernel: SharedKernel;
  attempt: (work: Promise<unknown>) => void;
}): JSX.Element {
  const { api, trans } = useContext();
  const { kernel, live } = props;
  const granted = kernel.grants.map(one => one.person).filter(person => person !== '*');
  const here = kernel.people.map(one => one.person);
  const people = [...new Set([kernel.owner, ...here, ...granted])].filter(Boolean);
  const everyone = kernel.grants.find(one => one.person === '*')?.role ?? '';
  const roleOf = (person: string) =>
    person === kernel.owner ? 'owner' : (kernel.grants.find(one => one.person === person)?.role ?? everyone);
  const change = (person: string, role: string) => props.attempt(api.kernels.grant(kernel.id, person, role));
  const changes = may(kernel.role, 'owner');
  return (
    <section>
      <h3>{trans.__('People')}</h3>
      <ul className="slipway-List">
        {people.map(person => (
          <li key={person} className="slipway-KernelView-row">
            <Face person={person} />
            <span className="slipway-Ellipsis">
              {person}
              {person === live.me && <span className="slipway-Dim"> {trans.__('(you)')}</span>}
            </span>
            <span className="slipway-Dim">{here.includes(person) ? trans.__('here') : trans.__('away')}</span>
            <RolePicker
              name={person}
              role={roleOf(person)}
              fixed={!changes || person === kernel.owner}
              change={role => change(person, role)}
            />
          </li>
        ))}
        <li className="slipway-KernelView-row">
          <span className="slipway-Face slipway-Face-rest" aria-hidden="true">
            *
          </span>
          <span className="slipway-Ellipsis">{trans.__('Everybody else')}</span>
          <RolePicker
            name={trans.__('Everybody else')}
            role={everyone}
            fixed={!changes}
            none
            change={role => change('*', role)}
          />
        </li>
      </ul>
    </section>
  );
}

function RolePicker(props: {
  name: string;
  role: string;
  fixed: boolean;
  none?: boolean;
  change: (role: string) => void;
}): JSX.Element {
  const { trans } = useContext();
  if (props.fixed) {
    return <span className="slipway-KernelView-role">{roleWords(props.role, trans)}</span>;
  }
  return (
    <select
      className="slipway-KernelView-role"
      aria-label={trans.__('What %1 may do', props.name)}
      value={props.role}
      onChange={event => props.change(event.target.value)}
    >
      {props.none && <option value="">{roleWords('', trans)}</option>}
      {ROLES.map(role => (
        <option key={role} value={role}>
          {roleWords(role, trans)}
        </option>
      ))}
    </select>
  );
}

function Queue(
  props: Shown & {
    kernel: SharedKernel;
    attempt: (work: Promise<unknown>) => void;
    jump: (cell: string) => void;
  }
): JSX.Element {
  const { api, trans, locale } = useContext();
  const { panel, live, kernel } = props;
  const words = (one: Waiting) =>
    one.position > 0
      ? queueWords(one, kernel.queue, live.me, trans, locale)
      : one.asks
        ? trans.__('asks %1', names([one.person], live.me, trans))
        : one.estimate
          ? trans.__('runs, usually %1', duration(one.estimate))
          : trans.__('runs');
  return (
    <section>
      <h3>{trans.__('Queue')}</h3>
      {kernel.queue.length === 0 && (
        <p className="slipway-Dim">{trans.__('Nothing runs and nothing waits.')}</p>
      )}
      <ol className="slipway-List">
        {kernel.queue.map(one => (
          <li key={one.execution} className="slipway-KernelView-row">
            <Face person={one.person} />
            <CellLink panel={panel} live={live} cell={one.cell} line={one.line} jump={props.jump} />
            <span className="slipway-Dim slipway-KernelView-end">{words(one)}</span>
            {one.position > 0 && (one.person === live.me || may(kernel.role, 'operator')) && (
              <Button
                title={trans.__('Take it out of the queue')}
                onClick={() => props.attempt(api.kernels.cancel(kernel.id, one.execution))}
              >
                {trans.__('Cancel')}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Executions(props: Shown & { jump: (cell: string) => void }): JSX.Element {
  const { trans } = useContext();
  const { panel, live } = props;
  const [count, setCount] = React.useState(LISTED);
  const past = live.executions.filter(one => one.ended_at);
  return (
    <section>
      <h3>{trans.__('Last executions')}</h3>
      {past.length === 0 && <p className="slipway-Dim">{trans.__('Nothing was run yet.')}</p>}
      <ol className="slipway-List">
        {past.slice(0, count).map(one => (
          <li key={one.id} className="slipway-KernelView-row" data-status={one.status}>
            <Face person={one.person} />
            <CellLink panel={panel} live={live} cell={one.cell} line={firstLine(one)} jump={props.jump} />
            <span className="slipway-Dim slipway-KernelView-end" title={one.reason || undefined}>
              {one.status === 'ok' ? short(took(one, 0) ?? 0) : statusWords(one.status, trans)}
              {' · '}
              <Time iso={one.started_at ?? one.queued_at} />
            </span>
          </li>
        ))}
      </ol>
      {past.length > count && (
        <Button kind="link" onClick={() => setCount(count + 50)}>
          {trans.__('Show more')}
        </Button>
      )}
    </section>
  );
}

function CellLink(props: Shown & { cell: string; line: string; jump: (cell: string) => void }): JSX.Element {
  const { trans } = useContext();
  const there = props.panel.content.widgets.some(one => one.model.id === props.cell);
  return there ? (
    <button
      type="button"
      className="slipway-KernelView-cell slipway-Ellipsis"
      title={trans.__('Show the cell')}
      onClick={() => props.jump(props.cell)}
    >
      {props.line || trans.__('(empty cell)')}
    </button>
  ) : (
    <code className="slipway-KernelView-cell slipway-Ellipsis">{props.line}</code>
  );
}

function firstLine(execution: Execution): string {
  return execution.code.split('\n').find(line => line.trim()) ?? '';
}
