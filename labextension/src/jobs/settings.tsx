/** The job page's settings: who answers for the job, how its runs are carried, when it runs by itself. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Job, JobChange } from '../api';
import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { duration } from '../ui/format';
import { Button } from '../ui/parts';
import { parsed } from '../ui/values';
import type { JobModel } from './model';
import { ScheduleDraft } from './schedule';
import { ScheduleFields } from './scheduleField';

export function Settings({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  return (
    <div className="slipway-Settings">
      <div className="slipway-Settings-column">
        <People model={model} job={job} />
        <Carrying model={model} job={job} />
      </div>
      <ScheduleSettings model={model} job={job} />
    </div>
  );
}

interface Draft<T> {
  text: T;
  dirty: boolean;
  edit: (change: Partial<T>) => void;
}

/** What is stored, with what the person has typed over it: untouched fields follow the store. */
function useDraft<T extends Record<string, string>>(stored: T): Draft<T> {
  const [typed, setTyped] = React.useState<Partial<T>>({});
  const text = { ...stored, ...typed };
  const dirty = Object.keys(stored).some(name => text[name] !== stored[name]);
  return { text, dirty, edit: change => setTyped({ ...typed, ...change }) };
}

/** A form that saves by one request, and says that it did. */
function Saving(props: {
  title: string;
  model: JobModel;
  dirty: boolean;
  sound: boolean;
  change: () => JobChange;
  children: React.ReactNode;
}): JSX.Element {
  const { trans } = useContext();
  const { model, dirty, sound } = props;
  const [saved, setSaved] = React.useState(false);
  const save = async (event: React.FormEvent) => {
    event.preventDefault();
    if (dirty && sound) {
      setSaved((await model.change(props.change())) !== null);
    }
  };
  return (
    <form aria-label={props.title} onSubmit={event => void save(event)}>
      <h3>{props.title}</h3>
      {props.children}
      <div className="slipway-Buttons">
        <span className="slipway-Dim" role="status">
          {saved && !dirty && trans.__('Saved.')}
        </span>
        <Button submit kind="primary" disabled={!dirty || !sound}>
          {trans.__('Save')}
        </Button>
      </div>
    </form>
  );
}

function People({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans } = useContext();
  const { description, owner, deputy } = job;
  const { text, dirty, edit } = useDraft({ description, owner, deputy });
  const fields: [keyof typeof text, string][] = [
    ['description', trans.__('Description')],
    ['owner', trans.__('Owner')],
    ['deputy', trans.__('Deputy')]
  ];
  return (
    <Saving
      title={trans.__('Job')}
      model={model}
      dirty={dirty}
      sound={text.owner.trim() !== ''}
      change={() => text}
    >
      {fields.map(([name, label]) => (
        <Field
          key={name}
          label={label}
          problem={name === 'owner' && !text.owner.trim() ? trans.__('A job needs an owner.') : null}
        >
          {attributes => (
            <input
              {...attributes}
              value={text[name]}
              onChange={event => edit({ [name]: event.target.value })}
            />
          )}
        </Field>
      ))}
    </Saving>
  );
}

/** How the runs are carried: the server knows the limits and says them. */
function Carrying({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans } = useContext();
  const { policy } = job;
  const { text, dirty, edit } = useDraft({
    timeout: String(policy.timeout),
    attempts: String(policy.attempts),
    backoff: String(policy.backoff)
  });
  const answers = {
    timeout: parsed(text.timeout, { type: 'float' }, trans),
    attempts: parsed(text.attempts, { type: 'int' }, trans),
    backoff: parsed(text.backoff, { type: 'float' }, trans)
  };
  const inWords = (seconds: string) => (Number(seconds) >= 60 ? `= ${duration(Number(seconds))}. ` : '');
  const fields: [keyof typeof text, string, string][] = [
    [
      'timeout',
      trans.__('Time-out in seconds'),
      `${inWords(text.timeout)}${trans.__('An attempt that takes longer is ended.')}`
    ],
    ['attempts', trans.__('Attempts'), trans.__('Tries in all, when a run fails.')],
    [
      'backoff',
      trans.__('Back-off in seconds'),
      `${inWords(text.backoff)}${trans.__('Wait before the second try, doubled for each further one.')}`
    ]
  ];
  return (
    <Saving
      title={trans.__('Runs')}
      model={model}
      dirty={dirty}
      sound={Object.values(answers).every(answer => answer.ok)}
      change={() => ({
        policy: {
          ...policy,
          timeout: Number(text.timeout),
          attempts: Number(text.attempts),
          backoff: Number(text.backoff)
        }
      })}
    >
      {fields.map(([name, label, hint]) => {
        const answer = answers[name];
        return (
          <Field key={name} label={label} hint={hint} problem={answer.ok ? null : answer.problem}>
            {attributes => (
              <input
                {...attributes}
                inputMode="decimal"
                value={text[name]}
                onChange={event => edit({ [name]: event.target.value })}
              />
            )}
          </Field>
        );
      })}
    </Saving>
  );
}

function ScheduleSettings({ model, job }: { model: JobModel; job: Job }): JSX.Element {
  const { trans, api } = useContext();
  const { schedule } = job;
  const [draft] = React.useState(() => new ScheduleDraft(api, schedule));
  React.useEffect(() => () => draft.dispose(), [draft]);
  const { cron, tz, catch_up, cap, parameters } = schedule ?? {};
  const stored = JSON.stringify([cron, tz, catch_up, cap, parameters]);
  React.useEffect(() => {
    draft.follow(schedule);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- a schedule is new at each look; `stored` says what changed
  }, [draft, stored]);
  const save = async (event: React.FormEvent) => {
    event.preventDefault();
    if (draft.request && draft.sound) {
      // What is paused stays so: resuming has its own button.
      const set = await model.setSchedule({ ...draft.request, enabled: schedule?.enabled ?? true });
      if (set !== null) {
        draft.saved();
      }
    }
  };
  const remove = async () => {
    const answer = await showDialog({
      title: trans.__('Delete the schedule of %1?', job.name),
      body: trans.__('The job stays; it will run only when somebody runs it.'),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Delete schedule') })
      ]
    });
    if (answer.button.accept) {
      await model.deleteSchedule();
      draft.reset(null);
      draft.set({ on: false });
    }
  };
  return (
    <form aria-label={trans.__('Schedule')} onSubmit={event => void save(event)}>
      <h3>{trans.__('Schedule')}</h3>
      <UseSignal signal={draft.changed}>
        {() =>
          draft.on ? (
            <>
              <ScheduleFields draft={draft} version={model.production} />
              <div className="slipway-Buttons">
                {schedule && (
                  <>
                    <Button kind="danger" onClick={() => void remove()}>
                      {trans.__('Delete schedule')}
                    </Button>
                    <Button onClick={() => void (schedule.enabled ? model.pause() : model.resume())}>
                      {schedule.enabled ? trans.__('Pause') : trans.__('Resume')}
                    </Button>
                  </>
                )}
                <Button submit kind="primary" disabled={!draft.sound}>
                  {trans.__('Save schedule')}
                </Button>
              </div>
              {schedule && !schedule.enabled && (
                <p className="slipway-Dim" role="status">
                  {trans.__('Paused: nothing runs until it is resumed.')}
                </p>
              )}
            </>
          ) : (
            <>
              <p className="slipway-Dim">{trans.__('This job runs when somebody runs it.')}</p>
              <div className="slipway-Buttons">
                <Button onClick={() => draft.set({ on: true })}>{trans.__('Add a schedule')}</Button>
              </div>
            </>
          )
        }
      </UseSignal>
    </form>
  );
}
