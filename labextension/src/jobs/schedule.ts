/** A schedule in the making: the cron line, its words and next times as the server says them. */
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  asApiError,
  type CatchUp,
  type Preview,
  type Schedule,
  type ScheduleRequest
} from '../api';

const DELAY = 250;

type Settable = 'on' | 'cron' | 'tz' | 'catchUp' | 'cap' | 'parameters' | 'filled';

export class ScheduleDraft implements IDisposable {
  constructor(
    private readonly api: Api,
    schedule: Schedule | null
  ) {
    this.reset(schedule);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  on = false;
  cron = '';
  tz = '';
  catchUp: CatchUp = 'latest';
  /** With 'all': at most so many runs are made up. */
  cap = 10;
  parameters: Record<string, unknown> = {};
  /** Whether all that was typed for the parameters can be sent. */
  filled = true;
  /** null while it is asked for. */
  preview: Preview | null = null;
  /** Why the cron line cannot be. */
  problem: ApiError | null = null;
  /** How often it was made what the server has: fields that keep what is typed begin anew with it. */
  epoch = 0;

  /** What the server has now, which somebody else may have changed; what a person is at work on stays. */
  follow(schedule: Schedule | null): void {
    if (!this.touched) {
      this.reset(schedule);
      this.changedSignal.emit();
    }
  }

  /** The server has what is in it. */
  saved(): void {
    this.touched = false;
  }

  reset(schedule: Schedule | null): void {
    this.touched = false;
    this.epoch += 1;
    this.on = schedule !== null;
    this.cron = schedule?.cron ?? '0 3 * * *';
    this.tz = schedule?.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';
    this.catchUp = schedule?.catch_up ?? 'latest';
    this.parameters = schedule?.parameters ?? {};
    this.preview = schedule ? { words: schedule.words, upcoming: schedule.upcoming } : null;
    this.problem = null;
    this.cap = schedule?.cap ?? 10;
  }

  set(change: Partial<Pick<ScheduleDraft, Settable>>): void {
    this.touched = true;
    this.put(change);
  }

  /** As `set`, when it is no person that changes it. */
  put(change: Partial<Pick<ScheduleDraft, Settable>>): void {
    Object.assign(this, change);
    if (this.on && ('on' in change || 'cron' in change || 'tz' in change)) {
      this.preview = null;
      this.problem = null;
      void this.looking.invoke().catch(() => undefined);
    }
    this.changedSignal.emit();
  }

  /** Nothing stands in the way of registering it. */
  get sound(): boolean {
    return !this.on || (this.cron.trim() !== '' && this.problem === null && this.filled && this.capSound);
  }

  get capSound(): boolean {
    return this.catchUp !== 'all' || (Number.isInteger(this.cap) && this.cap > 0);
  }

  /** null: no schedule is wanted. */
  get request(): ScheduleRequest | null {
    const { cron, tz, cap, parameters } = this;
    return this.on
      ? {
          cron: cron.trim(),
          tz,
          catch_up: this.catchUp,
          parameters,
          ...(this.catchUp === 'all' ? { cap } : {})
        }
      : null;
  }

  get isDisposed(): boolean {
    return this.looking.isDisposed;
  }

  dispose(): void {
    this.looking.dispose();
    Signal.clearData(this);
  }

  private async look(): Promise<void> {
    const { cron, tz } = this;
    try {
      const preview = await this.api.jobs.preview(cron.trim(), tz);
      if (cron === this.cron && tz === this.tz) {
        this.preview = preview;
        this.problem = null;
      }
    } catch (error) {
      if (cron === this.cron && tz === this.tz) {
        this.problem = asApiError(error);
      }
    }
    this.changedSignal.emit();
  }

  private touched = false;
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly looking = new Debouncer(() => this.look(), DELAY);
}
