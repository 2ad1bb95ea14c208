import { expect, it } from 'vitest';

import type { Schedule } from '../api';
import { anApi } from '../testing/fake';
import { ScheduleDraft } from './schedule';

const daily: Schedule = {
  id: 'schedule-1',
  job: 'delay-model',
  cron: '0 3 * * *',
  tz: 'UTC',
  enabled: true,
  catch_up: 'latest',
  next_due: null,
  words: 'At 03:00',
  upcoming: [],
  parameters: { month: 7 },
  missed: 0,
  cap: 10
};

it('follows what somebody else has set, and keeps what a person is at work on', () => {
  const draft = new ScheduleDraft(anApi({}), null);
  draft.follow(daily);
  expect([draft.on, draft.cron, draft.parameters]).toEqual([true, '0 3 * * *', { month: 7 }]);

  draft.set({ cron: '0 4 * * *' });
  draft.follow({ ...daily, cron: '0 5 * * *' });
  expect(draft.cron).toBe('0 4 * * *');

  draft.saved();
  draft.follow(null);
  expect(draft.on).toBe(false);
  draft.dispose();
});
