/** The panel's sections: jobs and runs. */
import {
  filterIcon,
  listIcon,
  PanelWithToolbar,
  runIcon,
  stopIcon,
  UseSignal
} from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Job, Run } from '../api';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { clock, duration, percent } from '../ui/format';
import { Avatar, Button, Empty, IconButton, Meter, Problem, Skeleton, State, Strip, Time } from '../ui/parts';
import { isLive, stateWords } from '../ui/words';

/** How many recent runs a row's strip shows. */
const STRIP = 8;

interface Kind<T> {
  id: string;
  title: string;
  items: (context: Context) => readonly T[] | null;
  count: (items: readonly T[]) => number;
  matches: (item: T, text: string) => boolean;
  row: (props: { item: T }) => JSX.Element;
  key: (item: T) => string;
  empty: () => JSX.Element;
}

/** One accordion section: its filter, and a list that knows how to load, be empty and show. */
export class Section<T> extends PanelWithToolbar {
  constructor(context: Context, kind: Kind<T>) {
    super();
    const { trans, overview } = context;
    this.kindTitle = kind.title;
    this.title.label = kind.title;
    this.id = `slipway-section-${kind.id}`;
    this.addClass('slipway-Section');
    this.addWidget(
      new SlipwayWidget(context, () => (
        <UseSignal signal={this.filtered}>
          {() => <Body kind={kind} filter={this.filter} section={this} />}
        </UseSignal>
      ))
    );
    const toggle = new SlipwayWidget(context, () => (
      <UseSignal signal={this.filtered}>
        {() => (
          <IconButton
            icon={filterIcon}
            label={trans.__('Filter %1', kind.title.toLowerCase())}
            pressed={this.filter !== null}
            onClick={() => this.setFilter(this.filter === null ? '' : null)}
          />
        )}
      </UseSignal>
    ));
    toggle.addClass('slipway-Section-filter');
    this.toolbar.addItem('filter', toggle);
    this.toolbar.node.setAttribute('aria-label', kind.title);
    const counted = () => {
      const items = kind.items(context);
      const label = items ? `${this.kindTitle} (${kind.count(items)})` : this.kindTitle;
      if (label !== this.title.label) {
        this.title.label = label;
      }
    };
    overview.changed.connect(counted, this);
    counted();
  }

  readonly filtered = new Signal<this, void>(this);
  /** null: no field is shown. */
  filter: string | null = null;

  setFilter(text: string | null): void {
    this.filter = text;
    this.filtered.emit();
  }

  dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  private readonly kindTitle: string;
}

function Body<T>(props: { kind: Kind<T>; filter: string | null; section: Section<T> }): JSX.Element {
  const context = useContext();
  const { trans, overview } = context;
  const { kind, filter, section } = props;
  return (
    <UseSignal signal={overview.changed}>
      {() => {
        const items = kind.items(context);
        if (!items) {
          return overview.error ? <></> : <Skeleton lines={3} />;
        }
        if (!items.length) {
          return <kind.empty />;
        }
        const text = (filter ?? '').trim().toLowerCase();
        const found = text ? items.filter(item => kind.matches(item, text)) : items;
        return (
          <>
            {filter !== null && (
              <input
                type="search"
                className="slipway-Input"
                autoFocus
                value={filter}
                placeholder={trans.__('Name, owner or state')}
                aria-label={trans.__('Filter %1', kind.title.toLowerCase())}
                onChange={event => section.setFilter(event.target.value)}
              />
            )}
            {found.length ? (
              <ul className="slipway-List" aria-label={kind.title}>
                {found.map(item => (
                  <kind.row key={kind.key(item)} item={item} />
                ))}
              </ul>
            ) : (
              <Empty action={<Button onClick={() => section.setFilter('')}>{trans.__('Show all')}</Button>}>
                {trans.__('Nothing matches ‘%1’.', text)}
              </Empty>
            )}
          </>
        );
      }}
    </UseSignal>
  );
}

function JobRow({ item: job }: { item: Job }): JSX.Element {
  const { trans, commands, overview } = useContext();
  const last = job.recent[0];
  const { schedule } = job;
  const open = () => void commands.execute(CommandIDs.openJob, { job: job.name });
  const when = !schedule
    ? trans.__('On demand')
    : schedule.enabled
      ? schedule.words || schedule.cron
      : trans.__('Schedule paused');
  return (
    <li className="slipway-Row">
      <button type="button" className="slipway-RowButton" onClick={open}>
        <span className="slipway-Row-title">
          <Avatar name={job.owner} />
          <strong title={job.name}>{job.name}</strong>
          <span className="slipway-Dim">v{job.production}</span>
          {last ? (
            <State state={last.state as Run['state']} />
          ) : (
            <span className="slipway-Pill">{trans.__('Never run')}</span>
          )}
        </span>
        <span className="slipway-Row-detail">
          <span
            className="slipway-Dim slipway-Ellipsis"
            title={
              schedule ? `${schedule.cron} ${schedule.tz}\n${overview.status?.note ?? ''}`.trim() : undefined
            }
          >
            {when}
            {last && (
              <>
                {' · '}
                <Time iso={last.queued_at} />
              </>
            )}
          </span>
          <Strip runs={job.recent} count={STRIP} />
        </span>
      </button>
      <span className="slipway-Actions">
        <IconButton
          icon={runIcon}
          label={trans.__('Run %1 now', job.name)}
          onClick={() => void commands.execute(CommandIDs.run, { job: job.name })}
        />
        {job.latest > 1 && (
          <IconButton
            icon={listIcon}
            label={trans.__('Compare versions of %1', job.name)}
            onClick={() => void commands.execute(CommandIDs.compare, { job: job.name })}
          />
        )}
      </span>
    </li>
  );
}

function RunRow({ item: run }: { item: Run }): JSX.Element {
  const { trans, commands, locale } = useContext();
  const open = () => void commands.execute(CommandIDs.openRun, { run: run.id });
  const live = isLive(run.state);
  return (
    <li className="slipway-Row">
      <button type="button" className="slipway-RowButton" onClick={open}>
        <span className="slipway-Row-title">
          <strong title={run.job}>{run.job}</strong>
          <span className="slipway-Dim">v{run.version}</span>
          <State state={run.state} />
        </span>
        {run.state === 'running' && run.progress !== null ? (
          <Meter
            label={run.progress_text || trans.__('Progress')}
            value={run.progress}
            text={percent(run.progress, locale)}
          />
        ) : (
          <span className="slipway-Dim slipway-Ellipsis">
            <Time iso={run.queued_at} />
            {run.duration !== null && ` · ${duration(run.duration)}`}
            {run.error && ` · ${run.error.kind}`}
          </span>
        )}
      </button>
      {live && (
        <span className="slipway-Actions">
          <IconButton
            icon={stopIcon}
            label={trans.__('Cancel the run of %1', run.job)}
            disabled={run.cancelling}
            onClick={() => void commands.execute(CommandIDs.cancel, { run: run.id })}
          />
        </span>
      )}
    </li>
  );
}

export function jobsSection(context: Context): Section<Job> {
  const { trans, commands } = context;
  return new Section<Job>(context, {
    id: 'jobs',
    title: trans.__('Jobs'),
    items: ({ overview }) => overview.jobs,
    count: items => items.length,
    matches: (job, text) =>
      [
        job.name,
        job.owner,
        job.description,
        job.recent[0] ? stateWords(job.recent[0].state as Run['state'], trans) : ''
      ]
        .join(' ')
        .toLowerCase()
        .includes(text),
    row: JobRow,
    key: job => job.name,
    empty: () => (
      <Empty
        action={
          <UseSignal
            signal={commands.commandChanged}
            shouldUpdate={(_, change) => change.id === CommandIDs.publish}
          >
            {() => (
              <Button
                disabled={!commands.isEnabled(CommandIDs.publish)}
                onClick={() => void commands.execute(CommandIDs.publish)}
              >
                {trans.__('Publish the selected cell')}
              </Button>
            )}
          </UseSignal>
        }
      >
        {trans.__('No jobs yet. Select a cell and choose Publish cell.')}
      </Empty>
    )
  });
}

export function runsSection(context: Context): Section<Run> {
  const { trans } = context;
  return new Section<Run>(context, {
    id: 'runs',
    title: trans.__('Runs'),
    items: ({ overview }) => overview.runs,
    count: items => items.length,
    matches: (run, text) =>
      [run.job, run.author, run.id, stateWords(run.state, trans)].join(' ').toLowerCase().includes(text),
    row: RunRow,
    key: run => run.id,
    empty: () => <Empty>{trans.__('Nothing has run yet. Run a job from its row above.')}</Empty>
  });
}

/** One message for the whole panel when the server is away; what was last known stays below. */
export function Offline(): JSX.Element {
  const { overview, trans, locale } = useContext();
  return (
    <UseSignal signal={overview.changed}>
      {() => {
        const { error, asOf } = overview;
        if (!error) {
          return <></>;
        }
        if (!asOf) {
          return <Problem error={error} retry={() => void overview.refresh()} />;
        }
        return (
          <div className="slipway-Banner" data-kind="warning" role="status">
            <p>{trans.__('Server offline, showing %1.', clock(asOf, locale))}</p>
            <Button onClick={() => void overview.refresh()}>{trans.__('Retry')}</Button>
          </div>
        );
      }}
    </UseSignal>
  );
}
