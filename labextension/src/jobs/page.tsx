/** The job page: overview, versions, runs, settings, and the form that runs it. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Job, Run, Version } from '../api';
import { CommandIDs } from '../tokens';
import { mainLine, Source } from '../ui/code';
import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { duration, median, occasion } from '../ui/format';
import { ParameterForm } from '../ui/parameterForm';
import { Button, Empty, Fact, Problem, Prose, Skeleton, State, Strip, Time } from '../ui/parts';
import { Tabs } from '../ui/tabs';
import { triggerWords, verdictWords } from '../ui/words';
import '../../style/parts.css';
import '../../style/pages.css';
import { Environment, Provenance } from './facts';
import type { JobModel } from './model';
import { Settings } from './settings';

export type JobTab = 'overview' | 'versions' | 'runs' | 'settings';

/** What the page is asked to show: a tab, or the form that runs the job, filled as a run was. */
export interface Wanted {
  tab: JobTab;
  running: boolean;
  from: string | null;
}

export function JobPage({ model, wanted }: { model: JobModel; wanted: Wanted }): JSX.Element {
  const [tab, setTab] = React.useState(wanted.tab);
  const [running, setRunning] = React.useState(wanted.running);
  React.useEffect(() => {
    setTab(wanted.tab);
    setRunning(wanted.running);
  }, [wanted]);
  return (
    <UseSignal signal={model.changed}>
      {() => {
        if (!model.job) {
          return (
            <div className="slipway-Page">
              {model.error ? (
                <Problem error={model.error} retry={() => void model.refresh()} />
              ) : (
                <Skeleton lines={6} />
              )}
            </div>
          );
        }
        return (
          <Drawn
            model={model}
            job={model.job}
            tab={tab}
            setTab={setTab}
            running={running}
            setRunning={setRunning}
            from={wanted.from}
          />
        );
      }}
    </UseSignal>
  );
}

function Drawn(props: {
  model: JobModel;
  job: Job;
  tab: JobTab;
  setTab: (tab: JobTab) => void;
  running: boolean;
  setRunning: (running: boolean) => void;
  from: string | null;
}): JSX.Element {
  const { trans } = useContext();
  const { model, job, tab, setTab, running, setRunning, from } = props;
  const buttons = React.useRef<HTMLSpanElement>(null);
  const close = () => {
    setRunning(false);
    buttons.current?.querySelector('button')?.focus();
  };
  return (
    <div className="slipway-Page">
      <div className="slipway-Head">
        <div className="slipway-Head-title">
          <h2>{job.name}</h2>
          <span className="slipway-Pill" data-state="production">
            {trans.__('production v%1', job.production)}
          </span>
          <span className="slipway-Dim">
            {trans.__('owner %1', job.owner)}
            {job.deputy && `, ${trans.__('deputy %1', job.deputy)}`}
          </span>
          <span className="slipway-Buttons" ref={buttons}>
            <Button kind="primary" expanded={running} onClick={() => setRunning(!running)}>
              {trans.__('Run')}
            </Button>
          </span>
        </div>
        {job.description && <p>{job.description}</p>}
      </div>
      {model.error && <Problem error={model.error} />}
      {running && <RunForm model={model} job={job} from={from} close={close} />}
      <Tabs<JobTab>
        label={job.name}
        current={tab}
        onChange={setTab}
        tabs={[
          { id: 'overview', label: trans.__('Overview'), view: () => <Overview model={model} job={job} /> },
          {
            id: 'versions',
            label: `${trans.__('Versions')} (${model.versions.length})`,
            view: () => <Versions model={model} job={job} />
          },
          { id: 'runs', label: trans.__('Runs'), view: () => <Runs model={model} /> },
          { id: 'settings', label: trans.__('Settings'), view: () => <Settings model={model} job={job} /> }
        ]}
      />
    </div>
  );
}

function RunForm(props: { model: JobModel; job: Job; from: string | null; close: () => void }): JSX.Element {
  const { trans, commands } = useContext();
  const { model, job, close } = props;
  const earlier = model.runs.find(run => run.id === props.from);
  const [number, setNumber] = React.useState(earlier?.version ?? job.production);
  const [busy, setBusy] = React.useState(false);
  const version = model.versions.find(one => one.number === number) ?? model.production;
  const form = React.useRef<HTMLElement>(null);
  const ready = version !== null;
  React.useEffect(() => {
    form.current?.querySelector<HTMLElement>('input, select, textarea, button[type=submit]')?.focus();
  }, [ready]);
  if (!version) {
    return <Skeleton lines={2} />;
  }
  const start = async (parameters: Record<string, unknown>) => {
    setBusy(true);
    const run = await model.run(parameters, number);
    setBusy(false);
    if (run) {
      close();
      void commands.execute(CommandIDs.openRun, { run: run.id });
    }
  };
  return (
    <section
      ref={form}
      className="slipway-RunForm"
      aria-label={trans.__('Run %1', job.name)}
      onChange={() => model.mending()}
      onKeyDown={event => event.key === 'Escape' && close()}
    >
      {model.versions.length > 1 && (
        <Field label={trans.__('Version')}>
          {attributes => (
            <select {...attributes} value={number} onChange={event => setNumber(Number(event.target.value))}>
              {model.versions.map(one => (
                <option key={one.number} value={one.number}>
                  {one.number === job.production ? trans.__('v%1, production', one.number) : `v${one.number}`}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      <ParameterForm
        key={number}
        parameters={version.parameters}
        schema={version.schema}
        initial={earlier?.version === number ? earlier.parameters : undefined}
        submit={trans.__('Run v%1', number)}
        busy={busy}
        onSubmit={parameters => void start(parameters)}
        onCancel={close}
      />
    </section>
  );
}

function Overview({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans } = useContext();
  const version = model.production;
  return (
    <>
      <Facts model={model} job={job} />
      {version && (
        <section className="slipway-Overview-code">
          <h3>{trans.__('What runs: version %1', version.number)}</h3>
          <Source
            text={version.module}
            label={trans.__('The Python file of version %1', version.number)}
            from={mainLine(version.module)}
          />
        </section>
      )}
    </>
  );
}

function Facts({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans, locale, overview } = useContext();
  const version = model.production;
  const { schedule } = job;
  const middle = median(
    job.recent.flatMap(run => (run.state === 'succeeded' && run.duration !== null ? [run.duration] : []))
  );
  const last = model.runs[0];
  return (
    <dl className="slipway-Facts slipway-mod-column">
      <Fact name={trans.__('Next run')}>
        {!schedule
          ? trans.__('When somebody runs it')
          : !schedule.enabled
            ? trans.__('Schedule paused')
            : schedule.next_due && (
                <>
                  {occasion(schedule.next_due, locale, schedule.tz)} {schedule.tz} (
                  <Time iso={schedule.next_due} />)
                </>
              )}
        {schedule && (
          <span className="slipway-Dim">
            {` ${schedule.words} · ${schedule.cron}`}
            {schedule.missed > 0 && ` · ${trans._n('%1 time missed', '%1 times missed', schedule.missed)}`}
          </span>
        )}
        {schedule && overview.status?.note && <p className="slipway-Dim">{overview.status.note}</p>}
      </Fact>
      <Fact name={trans.__('Last run')}>
        {last ? (
          <>
            <State state={last.state} /> <Time iso={last.queued_at} />
          </>
        ) : (
          trans.__('Never')
        )}
      </Fact>
      {job.recent.length > 0 && (
        <Fact name={trans.__('Recent runs')}>
          <Strip runs={job.recent} count={30} />
          {middle !== null && <span className="slipway-Dim"> {trans.__('median %1', duration(middle))}</span>}
        </Fact>
      )}
      <Provenance version={version} />
      {version && (
        <>
          <Fact name={trans.__('Parameters')}>
            {version.parameters.length
              ? version.parameters.map(one => (
                  <code key={one.name} title={one.description || undefined}>
                    {`${one.name}: ${one.type} = ${JSON.stringify(one.default)}`}
                  </code>
                ))
              : trans.__('None')}
          </Fact>
          <Fact name={trans.__('Proof')}>
            {version.proof ? verdictWords(version.proof, trans) : trans.__('Not proved')}
            {version.proof?.reason && (
              <span className="slipway-Dim">
                {' '}
                <Prose text={version.proof.reason} />
              </span>
            )}
          </Fact>
          <Fact name={trans.__('Environment')}>
            <Environment environment={version.environment} />
          </Fact>
        </>
      )}
    </dl>
  );
}

function Versions({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans, commands } = useContext();
  const roll = async (version: Version) => {
    const answer = await showDialog({
      title: trans.__('Roll back %1?', job.name),
      body: trans.__(
        'Runs and the schedule will use version %1 instead of version %2. Both versions stay.',
        version.number,
        job.production
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Use v%1', version.number) })
      ]
    });
    if (answer.button.accept) {
      await model.rollBack(version.number);
    }
  };
  return (
    <table className="slipway-Table">
      <thead>
        <tr>
          <th scope="col">{trans.__('Version')}</th>
          <th scope="col">{trans.__('Published')}</th>
          <th scope="col">{trans.__('Note')}</th>
          <th scope="col">{trans.__('Proof')}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {model.versions.map(version => (
          <tr key={version.number}>
            <td>
              <strong>v{version.number}</strong>{' '}
              {version.number === job.production && (
                <span className="slipway-Pill" data-state="production">
                  {trans.__('production')}
                </span>
              )}
            </td>
            <td>
              <Time iso={version.created_at} />, {version.author}
            </td>
            <td>{version.note}</td>
            <td>{version.proof ? verdictWords(version.proof, trans) : trans.__('Not proved')}</td>
            <td>
              <div className="slipway-Buttons">
                {version.number > 1 && (
                  <Button
                    title={trans.__('What version %1 changed', version.number)}
                    onClick={() =>
                      void commands.execute(CommandIDs.compare, {
                        job: job.name,
                        old: version.number - 1,
                        new: version.number
                      })
                    }
                  >
                    {trans.__('Compare')}
                  </Button>
                )}
                {version.number !== job.production && (
                  <Button onClick={() => void roll(version)}>
                    {version.number < job.production
                      ? trans.__('Roll back to v%1', version.number)
                      : trans.__('Use v%1', version.number)}
                  </Button>
                )}
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Runs({ model }: { model: JobModel }): JSX.Element {
  const { trans, commands } = useContext();
  const [asking, setAsking] = React.useState(false);
  if (!model.runs.length) {
    return <Empty>{trans.__('This job has not run yet. Choose Run above.')}</Empty>;
  }
  const older = async () => {
    setAsking(true);
    await model.olderRuns().catch(() => undefined);
    setAsking(false);
  };
  return (
    <>
      <table className="slipway-Table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Run')}</th>
            <th scope="col">{trans.__('State')}</th>
            <th scope="col">{trans.__('Version')}</th>
            <th scope="col">{trans.__('Started')}</th>
            <th scope="col">{trans.__('Took')}</th>
            <th scope="col">{trans.__('Parameters')}</th>
          </tr>
        </thead>
        <tbody>
          {model.runs.map(run => (
            <RunLine
              key={run.id}
              run={run}
              open={() => void commands.execute(CommandIDs.openRun, { run: run.id })}
            />
          ))}
        </tbody>
      </table>
      {model.more && (
        <p>
          <Button disabled={asking} onClick={() => void older()}>
            {trans.__('Show older runs')}
          </Button>
        </p>
      )}
    </>
  );
}

function RunLine({ run, open }: { run: Run; open: () => void }): JSX.Element {
  const { trans } = useContext();
  return (
    <tr>
      <td>
        <Button kind="link" onClick={open}>
          {run.id}
        </Button>
      </td>
      <td>
        <State state={run.state} />
      </td>
      <td>v{run.version}</td>
      <td>
        <Time iso={run.queued_at} />, {triggerWords(run.trigger, trans)}
      </td>
      <td>{run.duration !== null ? duration(run.duration) : ''}</td>
      <td className="slipway-Dim">
        {Object.entries(run.parameters)
          .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
          .join(', ')}
      </td>
    </tr>
  );
}
