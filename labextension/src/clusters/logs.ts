/** The logs of a cluster's processes, read by offset, part by part. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, type ApiError, asApiError } from '../api';
import { FreshPoll } from '../ui/poll';
import { Scroll } from '../ui/terminal';

const INTERVAL = 1_000;
/** Answers that are read one after the other before the view is drawn. */
const PIECES = 8;

export class ClusterLogs implements IDisposable {
  constructor(
    private readonly api: Api,
    readonly cluster: string
  ) {
    this.poll = new FreshPoll(`slipway:logs-${cluster}`, () => this.fetch(), {
      interval: INTERVAL,
      max: 30_000
    });
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** 'scheduler', 'workers' …; null until the first answer. */
  parts: readonly string[] | null = null;
  /** The part that is shown; '' until one is known. */
  part = '';
  /** Why the last request failed; null when it did not. */
  error: ApiError | null = null;

  get log(): Scroll {
    return this.scroll(this.part).log;
  }

  show(part: string): void {
    this.part = part;
    this.changedSignal.emit();
    void this.poll.refresh();
  }

  start(): void {
    void this.poll.start();
  }

  refresh(): Promise<void> {
    return this.poll.refresh();
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private scroll(part: string): { log: Scroll; offset: number } {
    let found = this.scrolls.get(part);
    if (!found) {
      found = { log: new Scroll(), offset: 0 };
      this.scrolls.set(part, found);
    }
    return found;
  }

  private async fetch(): Promise<void> {
    try {
      await this.read();
      this.error = null;
    } catch (error) {
      this.error = asApiError(error);
      throw error;
    } finally {
      this.changedSignal.emit();
    }
  }

  private async read(): Promise<void> {
    for (let piece = 0; piece < PIECES; piece++) {
      const asked = this.part;
      const { offset } = this.scroll(asked);
      const page = await this.api.clusters.logs(this.cluster, asked, offset);
      this.parts = page.parts;
      if (!asked) {
        // The first answer tells which parts there are.
        this.part = page.parts[0] ?? '';
        if (!this.part) {
          return;
        }
        continue;
      }
      const scroll = this.scroll(asked);
      scroll.log.append(page.text);
      scroll.offset = page.offset;
      if (page.text === '' || asked !== this.part) {
        return;
      }
    }
    void this.poll.refresh();
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private readonly scrolls = new Map<string, { log: Scroll; offset: number }>();
}
