/** What people read about a shared kernel. Pure: the clock is an argument. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Execution, KernelDeath, SharedKernel, Waiting } from '../api';
import { clock, duration } from '../ui/format';
import { unreachable } from '../ui/unreachable';

export type Role = 'viewer' | 'runner' | 'operator' | 'owner';
/** Each may what those before it may. */
export const ROLES: readonly Role[] = ['viewer', 'runner', 'operator', 'owner'];

/** A collaborator's colour: the same for a name on every page. */
export function colour(person: string): string {
  let sum = 0;
  for (const letter of person) {
    sum = (sum * 31 + letter.codePointAt(0)!) % 7919;
  }
  return `var(--jp-collaborator-color${(sum % 7) + 1})`;
}

/** Seconds that an execution has taken, or takes so far; null before it began. */
export function took(execution: Execution, now: number): number | null {
  if (!execution.started_at) {
    return null;
  }
  const end = execution.ended_at ? Date.parse(execution.ended_at) : now;
  return Math.max(0, (end - Date.parse(execution.started_at)) / 1000);
}

/** `20 ms`, `0.4 s`, `2 min 3 s`. */
export function short(seconds: number): string {
  return seconds < 0.095 ? `${Math.max(1, Math.round(seconds * 1000))} ms` : duration(seconds);
}

/** `2nd`. */
export function ordinal(place: number, trans: TranslationBundle, locale: string): string {
  switch (new Intl.PluralRules(locale, { type: 'ordinal' }).select(place)) {
    case 'one':
      return trans.__('%1st', place);
    case 'two':
      return trans.__('%1nd', place);
    case 'few':
      return trans.__('%1rd', place);
    default:
      return trans.__('%1th', place);
  }
}

/** `queued 2nd, after Bo, about 40 s`. */
export function queueWords(
  waiting: Waiting,
  queue: readonly Waiting[],
  me: string,
  trans: TranslationBundle,
  locale: string
): string {
  const before = queue.filter(one => one.position < waiting.position);
  const people = [...new Set(before.map(one => one.person))].filter(person => person !== waiting.person);
  const words = [trans.__('queued %1', ordinal(waiting.position, trans, locale))];
  if (people.length) {
    words.push(trans.__('after %1', names(people, me, trans)));
  }
  if (waiting.wait !== null && waiting.wait >= 1) {
    words.push(trans.__('about %1', duration(Math.round(waiting.wait))));
  }
  return words.join(', ');
}

/** `you, Bo and Cy`. */
export function names(people: readonly string[], me: string, trans: TranslationBundle): string {
  const said = people.map(person => (person === me ? trans.__('you') : person));
  return said.length < 2
    ? (said[0] ?? '')
    : trans.__('%1 and %2', said.slice(0, -1).join(', '), said[said.length - 1]);
}

export function statusWords(status: Execution['status'], trans: TranslationBundle): string {
  switch (status) {
    case 'queued':
      return trans.__('Queued');
    case 'running':
      return trans.__('Running');
    case 'ok':
      return trans.__('Done');
    case 'error':
      return trans.__('Failed');
    case 'aborted':
      return trans.__('Not run');
    default:
      return unreachable(status);
  }
}

export function roleWords(role: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    viewer: trans.__('may look'),
    runner: trans.__('may run cells'),
    operator: trans.__('may interrupt and restart'),
    owner: trans.__('may do everything')
  };
  return words[role] ?? trans.__('may do nothing');
}

export function may(role: string | null, least: Role): boolean {
  return ROLES.indexOf(role as Role) >= ROLES.indexOf(least);
}

/** `The kernel died while Ada ran [7]. It ran out of memory: …`. */
export function deathWords(
  death: KernelDeath,
  cellName: (cell: string) => string,
  me: string,
  trans: TranslationBundle
): string {
  const { running, reason } = death;
  if (!running) {
    return trans.__('The kernel died. %1', reason);
  }
  const who = running.person === me ? trans.__('you') : running.person;
  const what = running.cell ? cellName(running.cell) : running.line;
  return trans.__('The kernel died while %1 ran %2. %3', who, what, reason);
}

/** What does not answer, since when; '' when all does. `lost`: since when this page has no connection. */
export function silenceWords(
  kernel: SharedKernel,
  lost: Date | null,
  trans: TranslationBundle,
  locale: string
): string {
  if (lost) {
    return trans.__('The server has not answered since %1.', clock(lost, locale));
  }
  const since = kernel.silent_since ? clock(new Date(kernel.silent_since), locale) : '';
  switch (kernel.silent) {
    case 'host':
      return trans.__('The kernel’s host has not answered since %1.', since);
    case 'kernel':
      return trans.__('The kernel has not answered since %1.', since);
    case '':
      return '';
    default:
      return unreachable(kernel.silent);
  }
}

/** What to do when something does not answer. */
export function patienceWords(kernel: SharedKernel, lost: Date | null, trans: TranslationBundle): string {
  if (lost) {
    return trans.__('What runs goes on; what it says is here when the server is back.');
  }
  return kernel.silent
    ? trans.__(
        'Its process is stopped, or the machine is overloaded. It goes on by itself and nothing is lost; if it does not, restart it.'
      )
    : '';
}

/** That outputs are not kept for want of room on the disk; '' when they are. */
export function fullWords(kernel: SharedKernel, trans: TranslationBundle): string {
  return kernel.full
    ? trans.__(
        'The disk is full: what cells print is shown, but not kept. Who opens or reloads this page may miss some of it, until there is room again.'
      )
    : '';
}

/** Whom an interruption, a restart or an end would disturb; '' when nobody. */
export function othersWords(kernel: SharedKernel, me: string, trans: TranslationBundle): string {
  const busy = [...new Set(kernel.queue.map(one => one.person))].filter(person => person !== me);
  const here = kernel.people.map(one => one.person).filter(person => person !== me && !busy.includes(person));
  const said = [];
  if (busy.length) {
    const running = kernel.queue.find(one => one.position === 0 && one.person !== me);
    said.push(
      running
        ? trans.__('%1 runs “%2”.', running.person, running.line)
        : trans._n(
            '%2 has cells in its queue.',
            '%2 have cells in its queue.',
            busy.length,
            names(busy, me, trans)
          )
    );
    const waiting = busy.filter(person => person !== running?.person);
    if (running && waiting.length) {
      said.push(trans.__('Cells of %1 wait.', names(waiting, me, trans)));
    }
  }
  if (here.length) {
    said.push(trans._n('%2 has it open.', '%2 have it open.', here.length, names(here, me, trans)));
  }
  return said.join(' ');
}
