import { Signal } from '@lumino/signaling';
import { describe, expect, it, vi } from 'vitest';

import { takeSessionAlong } from './sessionPath';

describe('a session that begins', () => {
  it.each([
    ['RTC:new.ipynb', 'old.py', ['new.ipynb']],
    ['RTC:new.ipynb', 'new.ipynb', []]
  ])('of %s, under the path %s, is told %s', (path, was, told) => {
    const sessionContext = { sessionChanged: new Signal<object, unknown>({}) };
    const setPath = vi.fn(() => Promise.reject(new Error('gone again')));
    takeSessionAlong(
      { path, sessionContext } as never,
      { localPath: (of: string) => of.split(':').at(-1) } as never
    );

    sessionContext.sessionChanged.emit({ newValue: null });
    sessionContext.sessionChanged.emit({ newValue: { path: was, setPath } });

    expect(setPath.mock.calls.flat()).toEqual(told);
  });
});
