import { expect, it } from 'vitest';

import { linked } from './pages';

it.each([
  ['?slipway=run/run-1', { command: 'slipway:open-run', args: { run: 'run-1' } }],
  ['?reset&slipway=job/delay-model', { command: 'slipway:open-job', args: { job: 'delay-model' } }],
  ['?slipway=run', null],
  ['?slipway=shell/rm', null],
  ['', null]
])('%s names %j', (search, command) => expect(linked(search)).toEqual(command));
