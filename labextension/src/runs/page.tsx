/** The run page: what happened, log, outputs, files, code and environment. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Frame, Run, RunError } from '../api';
import { Environment, Provenance } from '../jobs/facts';
import { CommandIDs } from '../tokens';
import { Source } from '../ui/code';
import { useContext } from '../ui/context';
import { bytes, duration, percent } from '../ui/format';
import { Log } from '../ui/log';
import { Button, Empty, Fact, Meter, Problem, Skeleton, State, Time } from '../ui/parts';
import { save } from '../ui/save';
import { Tabs } from '../ui/tabs';
import { withoutEscapes } from '../ui/terminal';
import { cellWords, isLive, triggerWords } from '../ui/words';
import '../../style/parts.css';
import '../../style/pages.css';
import type { RunModel } from './model';

export type RunTab = 'log' | 'outputs' | 'artifacts' | 'code' | 'environment';

export interface RunPageProps {
  model: RunModel;
  tab: RunTab;
  /** Draws nbformat outputs as the notebook does. */
  Outputs: (props: { outputs: readonly Record<string, unknown>[]; trusted: boolean }) => JSX.Element;
}

export function RunPage(props: RunPageProps): JSX.Element {
  const [tab, setTab] = React.useState<RunTab>(props.tab);
  return (
    <UseSignal signal={props.model.changed}>{() => <Drawn {...props} tab={tab} setTab={setTab} />}</UseSignal>
  );
}

function Drawn(props: RunPageProps & { setTab: (tab: RunTab) => void }): JSX.Element {
  const { trans, overview } = useContext();
  const { model, tab, setTab, Outputs } = props;
  const { run, version, error } = model;
  if (!run) {
    return (
      <div className="slipway-Page">
        {error ? <Problem error={error} retry={() => void model.refresh()} /> : <Skeleton lines={6} />}
      </div>
    );
  }
  const outputs = model.outputs ?? [];
  const artifacts = model.artifacts ?? [];
  const counted = (words: string, count: number) => (count ? `${words} (${count})` : words);
  return (
    <div className="slipway-Page">
      <Head model={model} run={run} />
      {error && <Problem error={error} retry={() => void model.refresh()} />}
      {run.error && (
        <Failure
          error={run.error}
          notebook={version?.notebook ?? ''}
          showCode={() => setTab('code')}
          cancelled={run.state === 'cancelled'}
        />
      )}
      <Tabs<RunTab>
        label={trans.__('Run %1', run.id)}
        current={tab}
        onChange={setTab}
        tabs={[
          { id: 'log', label: trans.__('Log'), view: () => <RunLog model={model} run={run} /> },
          {
            id: 'outputs',
            label: counted(trans.__('Outputs'), outputs.length),
            view: () => (
              <>
                {outputs.length ? (
                  <Outputs outputs={outputs} trusted={run.author === overview.status?.user} />
                ) : (
                  <Empty>
                    {isLive(run.state) ? trans.__('No outputs yet.') : trans.__('The run showed nothing.')}
                  </Empty>
                )}
                {run.value !== null && run.value !== undefined && (
                  <section>
                    <h3>{trans.__('Value returned')}</h3>
                    <pre className="slipway-Value">
                      {typeof run.value === 'string' ? run.value : JSON.stringify(run.value, null, 2)}
                    </pre>
                  </section>
                )}
              </>
            )
          },
          {
            id: 'artifacts',
            label: counted(trans.__('Artifacts'), artifacts.length),
            view: () => <Artifacts model={model} />
          },
          {
            id: 'code',
            label: trans.__('Code'),
            view: () =>
              version ? (
                <Source
                  text={version.module}
                  label={trans.__('The Python file that ran')}
                  marked={run.error?.frames.slice(-1).map(frame => frame.line)}
                />
              ) : (
                <Skeleton lines={6} />
              )
          },
          {
            id: 'environment',
            label: trans.__('Environment'),
            view: () =>
              version ? <Environment environment={version.environment} open /> : <Skeleton lines={6} />
          }
        ]}
      />
    </div>
  );
}

function Head({ model, run }: { model: RunModel; run: Run }): JSX.Element {
  const { trans, commands, locale } = useContext();
  const live = isLive(run.state);
  const parameters = Object.entries(run.parameters);
  const again = async () => {
    const retried = await model.retry();
    if (retried) {
      void commands.execute(CommandIDs.openRun, { run: retried.id });
    }
  };
  return (
    <div className="slipway-Head">
      <div className="slipway-Head-title">
        <h2>
          <Button kind="link" onClick={() => void commands.execute(CommandIDs.openJob, { job: run.job })}>
            {run.job}
          </Button>{' '}
          <span className="slipway-Dim">v{run.version}</span>
        </h2>
        <State state={run.state} />
        {run.state === 'running' && run.progress !== null && (
          <Meter
            label={run.progress_text || trans.__('Progress')}
            value={run.progress}
            text={percent(run.progress, locale)}
          />
        )}
        <span className="slipway-Buttons">
          {live && (
            <Button kind="danger" disabled={run.cancelling} onClick={() => void model.cancel()}>
              {run.cancelling ? trans.__('Cancelling…') : trans.__('Cancel')}
            </Button>
          )}
          {(run.state === 'failed' || run.state === 'cancelled') && (
            <Button kind="primary" onClick={() => void again()}>
              {trans.__('Retry')}
            </Button>
          )}
          {!live && (
            <Button
              onClick={() =>
                void commands.execute(CommandIDs.openJob, { job: run.job, tab: 'run', from: run.id })
              }
              title={trans.__('With these or other parameters')}
            >
              {trans.__('Run again…')}
            </Button>
          )}
        </span>
      </div>
      <dl className="slipway-Facts">
        <Fact name={trans.__('Started')}>
          {run.started_at ? <Time iso={run.started_at} /> : trans.__('waiting for the runner')}
          {run.author && `, ${trans.__('%1 by %2', triggerWords(run.trigger, trans), run.author)}`}
        </Fact>
        {run.duration !== null && <Fact name={trans.__('Took')}>{duration(run.duration)}</Fact>}
        {run.cpu_seconds !== null && <Fact name={trans.__('CPU')}>{duration(run.cpu_seconds)}</Fact>}
        {run.peak_memory !== null && <Fact name={trans.__('Peak memory')}>{bytes(run.peak_memory)}</Fact>}
        {run.attempt > 1 && (
          <Fact name={trans.__('Attempt')}>{trans.__('%1 of %2', run.attempt, run.policy.attempts)}</Fact>
        )}
        {parameters.length > 0 && (
          <Fact name={trans.__('Parameters')}>
            {parameters.map(([name, value]) => (
              <code key={name}>{`${name}=${JSON.stringify(value)}`}</code>
            ))}
          </Fact>
        )}
        <Provenance version={model.version} />
      </dl>
    </div>
  );
}

/** The user's own lines first, each one click from its cell; the whole traceback for who wants it. */
function Failure(props: {
  error: RunError;
  notebook: string;
  showCode: () => void;
  cancelled: boolean;
}): JSX.Element {
  const { trans } = useContext();
  const { error, notebook, showCode } = props;
  const innermost = [...error.frames].reverse();
  return (
    <section className="slipway-Failure" aria-label={trans.__('Why it failed')}>
      <p>
        <strong>{error.kind}</strong>
        {error.message && `: ${withoutEscapes(error.message)}`}
      </p>
      {innermost.length > 0 && (
        <ol>
          {innermost.map((frame, index) => (
            <li key={index}>
              <Place frame={frame} notebook={notebook} showCode={showCode} />
              <code>{frame.source.trim()}</code>
            </li>
          ))}
        </ol>
      )}
      {error.traceback && (
        <details>
          <summary>
            {/^Traceback/m.test(error.traceback)
              ? trans.__('Whole traceback')
              : trans.__('The end of its log')}
          </summary>
          <pre>{withoutEscapes(error.traceback)}</pre>
        </details>
      )}
    </section>
  );
}

function Place(props: { frame: Frame; notebook: string; showCode: () => void }): JSX.Element {
  const { trans, commands, overview } = useContext();
  const { frame, notebook, showCode } = props;
  const path = frame.cell ? overview.pathOf(notebook) : null;
  const words = frame.cell
    ? trans.__('cell %1, line %2', cellWords(frame.cell_index), frame.cell_line)
    : trans.__('line %1 of the module', frame.line);
  const open = () =>
    path
      ? void commands.execute(CommandIDs.openCell, {
          notebook: path,
          cell: frame.cell,
          index: frame.cell_index,
          line: frame.cell_line
        })
      : showCode();
  return (
    <Button
      kind="link"
      onClick={open}
      title={path ? trans.__('Open this cell in %1', path) : trans.__('Show the code')}
    >
      {words}
    </Button>
  );
}

function RunLog({ model, run }: { model: RunModel; run: Run }): JSX.Element {
  const { trans } = useContext();
  const live = isLive(run.state);
  return (
    <Log
      log={model.log}
      live={live}
      away={model.error?.status === 0}
      omitted={model.log.cut || model.logSkipped ? trans.__('part of this long log is left out') : ''}
      empty={live ? trans.__('Nothing printed yet.') : trans.__('The run printed nothing.')}
      file={`${run.id}.log`}
    />
  );
}

function Artifacts({ model }: { model: RunModel }): JSX.Element {
  const { trans } = useContext();
  const { artifacts } = model;
  if (!artifacts) {
    return <Skeleton lines={2} />;
  }
  if (!artifacts.length) {
    return <Empty>{trans.__('The run wrote no files into the folder that SLIPWAY_ARTIFACTS names.')}</Empty>;
  }
  const download = async (name: string) => {
    const file = await model.file(name);
    if (file) {
      save(file, name.split('/').pop() ?? name);
    }
  };
  return (
    <table className="slipway-Table">
      <thead>
        <tr>
          <th scope="col">{trans.__('File')}</th>
          <th scope="col">{trans.__('Size')}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {artifacts.map(({ name, size }) => (
          <tr key={name}>
            <td>{name}</td>
            <td>{bytes(size)}</td>
            <td>
              <Button onClick={() => void download(name)} title={trans.__('Download %1', name)}>
                {trans.__('Download')}
              </Button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
