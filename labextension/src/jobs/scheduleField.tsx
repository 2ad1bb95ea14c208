/** The fields of a schedule, with its words and next times as they are typed. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { CatchUp, Version } from '../api';
import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { occasion } from '../ui/format';
import { ParameterFields, useFilling } from '../ui/parameterForm';
import { catchUpWords } from '../ui/words';
import type { ScheduleDraft } from './schedule';

const CATCH_UP: readonly CatchUp[] = ['skip', 'latest', 'all'];

export function ScheduleFields(props: {
  draft: ScheduleDraft;
  /** What would run, when its parameters can be chosen here. */
  version?: Version | null;
}): JSX.Element {
  const { trans, locale, overview } = useContext();
  const { draft, version } = props;
  const zones = React.useMemo(() => Intl.supportedValuesOf('timeZone'), []);
  const common: [string, string][] = [
    ['0 * * * *', trans.__('Every hour')],
    ['0 3 * * *', trans.__('Every day at 03:00')],
    ['0 3 * * 1-5', trans.__('Working days at 03:00')],
    ['0 3 * * 1', trans.__('Mondays at 03:00')],
    ['0 3 1 * *', trans.__('First of the month at 03:00')]
  ];
  return (
    <UseSignal signal={draft.changed}>
      {() => {
        const { preview, problem } = draft;
        const chosen = common.some(([cron]) => cron === draft.cron) ? draft.cron : '';
        return (
          <div className="slipway-Schedule">
            <div className="slipway-Fields">
              <Field label={trans.__('When')}>
                {attributes => (
                  <select
                    {...attributes}
                    value={chosen}
                    onChange={event => draft.set({ cron: event.target.value })}
                  >
                    {!chosen && <option value="">{trans.__('As written beside')}</option>}
                    {common.map(([cron, words]) => (
                      <option key={cron} value={cron}>
                        {words}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              <Field
                label={trans.__('Cron line')}
                problem={
                  problem
                    ? problem.text
                    : draft.cron.trim()
                      ? null
                      : trans.__('Minute hour day month weekday.')
                }
              >
                {attributes => (
                  <input
                    {...attributes}
                    dir="ltr"
                    spellCheck={false}
                    value={draft.cron}
                    onChange={event => draft.set({ cron: event.target.value })}
                  />
                )}
              </Field>
              <Field label={trans.__('Time zone')}>
                {attributes => (
                  <select
                    {...attributes}
                    value={draft.tz}
                    onChange={event => draft.set({ tz: event.target.value })}
                  >
                    {[...new Set([draft.tz, 'UTC', ...zones])].map(zone => (
                      <option key={zone}>{zone}</option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label={trans.__('After a time away')}>
                {attributes => (
                  <select
                    {...attributes}
                    value={draft.catchUp}
                    onChange={event => draft.set({ catchUp: event.target.value as CatchUp })}
                  >
                    {CATCH_UP.map(one => (
                      <option key={one} value={one}>
                        {catchUpWords(one, trans)}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              {draft.catchUp === 'all' && (
                <Field
                  label={trans.__('At most')}
                  hint={trans.__('So many of the missed runs, the latest ones.')}
                  problem={draft.capSound ? null : trans.__('A whole number above 0.')}
                >
                  {attributes => (
                    <input
                      {...attributes}
                      type="number"
                      min={1}
                      value={Number.isNaN(draft.cap) ? '' : draft.cap}
                      onChange={event => draft.set({ cap: event.target.valueAsNumber })}
                    />
                  )}
                </Field>
              )}
            </div>
            {version && version.parameters.length > 0 && (
              <ScheduledValues key={`${version.number}-${draft.epoch}`} draft={draft} version={version} />
            )}
            {!problem && (
              <p className="slipway-Dim" role="status" aria-live="polite">
                {preview ? (
                  <>
                    <strong>{preview.words}</strong>
                    {preview.upcoming.length > 0 &&
                      ` · ${trans.__(
                        'next %1',
                        preview.upcoming.map(iso => occasion(iso, locale, draft.tz)).join(' · ')
                      )}`}
                  </>
                ) : (
                  trans.__('Looking up the next times…')
                )}
              </p>
            )}
            {overview.status?.note && <p className="slipway-Dim">{overview.status.note}</p>}
          </div>
        );
      }}
    </UseSignal>
  );
}

/** With what the schedule runs the job. */
function ScheduledValues({ draft, version }: { draft: ScheduleDraft; version: Version }): JSX.Element {
  const { trans } = useContext();
  const filling = useFilling(version.parameters, draft.parameters);
  const typed = JSON.stringify(filling.texts);
  const before = React.useRef(typed);
  React.useEffect(() => {
    const change = { filled: filling.sound, ...(filling.sound ? { parameters: filling.values } : {}) };
    if (typed === before.current) {
      draft.put(change);
    } else {
      draft.set(change);
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `typed` stands for what was computed from it
  }, [draft, typed]);
  return (
    <fieldset className="slipway-Fieldset">
      <legend>{trans.__('Parameters')}</legend>
      <ParameterFields filling={filling} schema={version.schema} />
    </fieldset>
  );
}
