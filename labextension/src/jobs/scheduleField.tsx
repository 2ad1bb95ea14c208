/** The fields of a schedule, with its words and next times as they are typed. */
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { CatchUp } from '../api';
import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { occasion } from '../ui/format';
import { catchUpWords } from '../ui/words';
import type { ScheduleDraft } from './schedule';

const CATCH_UP: readonly CatchUp[] = ['skip', 'latest', 'all'];

export function ScheduleFields({ draft }: { draft: ScheduleDraft }): JSX.Element {
  const { trans, locale } = useContext();
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
            </div>
            {!problem && (
              <p className="slipway-Dim" role="status" aria-live="polite">
                {preview ? (
                  <>
                    <strong>{preview.words}</strong>
                    {' · '}
                    {trans.__(
                      'next %1',
                      preview.upcoming.map(iso => occasion(iso, locale, draft.tz)).join(' · ')
                    )}
                  </>
                ) : (
                  trans.__('Looking up the next times…')
                )}
              </p>
            )}
          </div>
        );
      }}
    </UseSignal>
  );
}
