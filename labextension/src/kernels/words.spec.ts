import { describe, expect, it } from 'vitest';

import type { SharedKernel } from '../api';
import { aKernel, anExecution, aWaiting } from '../testing/kernels';
import { trans } from '../testing/fake';
import {
  colour,
  deathWords,
  fullWords,
  may,
  othersWords,
  patienceWords,
  queueWords,
  short,
  silenceWords,
  took
} from './words';

const other = (change: Partial<SharedKernel>) => othersWords(aKernel(change), 'ada', trans);

describe('what people read about a shared kernel', () => {
  it('says the place in the queue, whose cells come before, and how long they take', () => {
    const queue = [
      aWaiting({ execution: 'a', position: 0, person: 'bo' }),
      aWaiting({ execution: 'b', position: 1, person: 'bo' }),
      aWaiting({ execution: 'c', position: 2, person: 'ada', wait: 40.2 })
    ];
    expect(queueWords(queue[2], queue, 'ada', trans, 'en')).toBe('queued 2nd, after bo, about 40 s');
    expect(queueWords(queue[1], queue, 'ada', trans, 'en')).toBe('queued 1st');
  });

  it('names whom a restart would disturb', () => {
    const here = (person: string) => ({ person, role: 'runner', pages: 1 });
    expect(other({ people: [here('ada')] })).toBe('');
    expect(other({ people: [here('ada'), here('bo'), here('cy')] })).toBe('bo and cy have it open.');
    const queue = [
      aWaiting({ position: 0, person: 'bo', line: 'train()' }),
      aWaiting({ position: 1, person: 'cy' })
    ];
    expect(other({ people: [here('bo')], queue })).toBe('bo runs “train()”. Cells of cy wait.');
  });

  it('tells of a death while whose cell ran, and of what', () => {
    const running = { person: 'bo', cell: 'c1', line: 'x = [0] * 10**12', execution: 'a' };
    const death = { at: '2026-11-25T10:00:00Z', reason: 'It ran out of memory.', code: -9, running };
    expect(deathWords(death, () => '[7]', 'ada', trans)).toBe(
      'The kernel died while bo ran [7]. It ran out of memory.'
    );
    expect(deathWords({ ...death, running: null }, () => '', 'ada', trans)).toBe(
      'The kernel died. It ran out of memory.'
    );
  });

  it('says what does not answer, since when, and what to do', () => {
    const at = new Date(2026, 10, 25, 16, 41);
    const kernel = aKernel({ silent: 'kernel', silent_since: at.toISOString() });
    expect(silenceWords(kernel, null, trans, 'en')).toBe('The kernel has not answered since 16:41.');
    expect(patienceWords(kernel, null, trans)).toContain('if it does not, restart it');
    // A page that hears nothing does not know how the kernel fares now.
    expect(silenceWords(kernel, at, trans, 'en')).toBe('The server has not answered since 16:41.');
    expect(silenceWords(aKernel(), null, trans, 'en')).toBe('');
  });

  it('says that outputs are not kept while the disk is full', () => {
    expect(fullWords(aKernel({ full: true }), trans)).toContain('The disk is full');
    expect(fullWords(aKernel(), trans)).toBe('');
  });

  it('counts what still runs to the present, and what has ended to its end', () => {
    const began = Date.parse('2026-11-25T10:00:00Z');
    expect(took(anExecution({ ended_at: null }), began + 3_000)).toBe(3);
    expect(took(anExecution({ ended_at: '2026-11-25T10:00:02Z' }), began + 9_000)).toBe(2);
    expect(took(anExecution({ started_at: null, ended_at: null }), began)).toBe(null);
    expect([short(0.02), short(0), short(0.4), short(61)]).toEqual(['20 ms', '1 ms', '0.4 s', '1 min 1 s']);
  });

  it('gives a person the same colour everywhere, and a role what those below may', () => {
    expect(colour('ada')).toBe(colour('ada'));
    expect(colour('ada')).toMatch(/^var\(--jp-collaborator-color[1-7]\)$/);
    expect([may('operator', 'runner'), may('viewer', 'runner'), may(null, 'viewer')]).toEqual([
      true,
      false,
      false
    ]);
  });
});
