/** One job as its page shows it: the job, its versions, its runs a page at a time. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  asApiError,
  type Changed,
  type Job,
  type JobChange,
  type Run,
  type ScheduleRequest,
  type Version
} from '../api';
import type { Overview } from '../panel/model';
import { FreshPoll } from '../ui/poll';
import { isLive } from '../ui/words';

const PAGE = 50;
const IDLE = 30_000;
const LIVE = 2_000;

export class JobModel implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly overview: Overview,
    readonly name: string
  ) {
    this.poll = new FreshPoll(`slipway:job-${name}`, () => this.fetch(), { interval: IDLE, max: 120_000 });
    overview.hinted.connect(this.onHint, this);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  job: Job | null = null;
  /** Newest first. */
  versions: readonly Version[] = [];
  /** Newest first; as many pages as were asked for. */
  runs: readonly Run[] = [];
  /** Whether older runs can be asked for. */
  more = false;
  /** Why the last request was refused; null when it was not. */
  error: ApiError | null = null;

  start(): void {
    void this.poll.start();
  }

  refresh(): Promise<void> {
    return this.poll.refresh();
  }

  /** The version that runs when none is named; null until it is known. */
  get production(): Version | null {
    return this.versions.find(version => version.number === this.job?.production) ?? null;
  }

  async olderRuns(): Promise<void> {
    const page = await this.api.runs.list({ job: this.name, after: this.next ?? undefined, limit: PAGE });
    this.older = [...this.older, ...page.items];
    this.next = page.next;
    this.more = page.next !== null;
    this.runs = this.joined(this.runs, page.items);
    this.changedSignal.emit();
  }

  /** Start a run; null when refused. */
  run(parameters: Record<string, unknown>, version?: number): Promise<Run | null> {
    return this.act(this.api.runs.start({ job: this.name, version: version ?? null, parameters }), 'run');
  }

  change(change: JobChange): Promise<unknown> {
    return this.act(this.api.jobs.change(this.name, change));
  }

  rollBack(version: number): Promise<unknown> {
    return this.act(this.api.jobs.rollBack(this.name, version));
  }

  setSchedule(request: ScheduleRequest): Promise<unknown> {
    return this.act(this.api.jobs.setSchedule(this.name, request), 'schedule');
  }

  pause(): Promise<unknown> {
    return this.act(this.api.jobs.pause(this.name), 'schedule');
  }

  resume(): Promise<unknown> {
    return this.act(this.api.jobs.resume(this.name), 'schedule');
  }

  deleteSchedule(): Promise<unknown> {
    return this.act(this.api.jobs.deleteSchedule(this.name), 'schedule');
  }

  /** What was refused is being mended, and is not said any longer. */
  mending(): void {
    if (this.error) {
      this.error = null;
      this.changedSignal.emit();
    }
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  /** What was changed from here is told to all views; a refusal stays until the next try. */
  private async act<T>(asked: Promise<T>, kind: Changed['kind'] = 'job'): Promise<T | null> {
    try {
      const answer = await asked;
      this.error = null;
      this.overview.announce({ kind, id: this.name });
      await this.poll.refresh();
      return answer;
    } catch (error) {
      this.error = asApiError(error);
      this.changedSignal.emit();
      return null;
    }
  }

  private onHint(_: Overview, hint: Changed): void {
    if (hint.kind === 'run' || hint.id === this.name) {
      void this.poll.refresh();
    }
  }

  private async fetch(): Promise<void> {
    try {
      const [job, runs] = await Promise.all([
        this.api.jobs.get(this.name),
        this.api.runs.list({ job: this.name, limit: PAGE })
      ]);
      // They never change, and two hundred are many megabytes: asked for when there is another one.
      if (this.versions[0]?.number !== job.latest) {
        this.versions = (await this.api.jobs.versions(this.name)).items;
      }
      this.job = job;
      if (!this.older.length) {
        this.next = runs.next;
        this.more = runs.next !== null;
      }
      this.runs = this.joined(runs.items, this.older);
      this.error = null;
      const interval = this.runs.some(run => isLive(run.state)) ? LIVE : IDLE;
      if (this.poll.frequency.interval !== interval) {
        this.poll.frequency = { ...this.poll.frequency, interval };
      }
    } catch (error) {
      this.error = asApiError(error);
      throw error;
    } finally {
      this.changedSignal.emit();
    }
  }

  private joined(first: readonly Run[], then: readonly Run[]): readonly Run[] {
    const known = new Set(first.map(run => run.id));
    return [...first, ...then.filter(run => !known.has(run.id))];
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private older: readonly Run[] = [];
  private next: string | null = null;
}
