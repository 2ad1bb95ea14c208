import { Notification } from '@jupyterlab/apputils';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { underWay } from './underWay';

const shown = () => Notification.manager.notifications.map(({ message }) => message);

describe('what is under way', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is said once it takes longer than a moment, until it ends', async () => {
    let end = (_: string): void => undefined;
    const done = underWay('Converting…', () => new Promise<string>(resolve => (end = resolve)));
    expect(shown()).toEqual([]);
    vi.advanceTimersByTime(1_500);
    expect(shown()).toEqual(['Converting…']);
    end('done');
    await expect(done).resolves.toBe('done');
    expect(shown()).toEqual([]);
  });

  it('is not said of what ends at once, well or not', async () => {
    await expect(underWay('Converting…', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    vi.advanceTimersByTime(1_500);
    expect(shown()).toEqual([]);
  });
});
