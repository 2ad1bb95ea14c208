import { expect, it } from 'vitest';

import { Scroll, settled, withoutEscapes } from './terminal';

it('drops colours, cursor movements and links', () => {
  expect(withoutEscapes('\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07')).toBe('red link');
});

it('keeps the last state of a redrawn line', () => {
  expect(settled('a\n 10%|\r 50%|\r100%|\nb\r\n')).toBe('a\n100%|\nb\n');
});

it('joins a line that came in pieces', () => {
  const log = new Scroll();
  log.append('one\ntw');
  log.append('o\n 1');
  expect(log.text).toBe('one\ntwo\n 1');
  log.append('0%\r 20%');
  expect([log.text, log.lines]).toEqual(['one\ntwo\n 20%', 3]);
});

it('joins an escape code that came in pieces', () => {
  const log = new Scroll();
  log.append('\x1b[3');
  log.append('1mred\x1b[0m\n');
  expect(log.text).toBe('red\n');
});

it('forgets the beginning of a log that is too long, whole lines at a time', () => {
  const log = new Scroll(100);
  for (let line = 0; line < 50; line++) {
    log.append(`line ${line}\n`);
  }
  expect(log.cut).toBe(true);
  expect(log.text.length).toBeLessThanOrEqual(110);
  expect(log.text).toMatch(/^line \d+\n/);
  expect(log.text).toMatch(/line 49\n$/);
  expect(log.lines).toBe(50);
});
