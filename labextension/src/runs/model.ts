/** One run as its page shows it: state, log by offset, outputs, files, and the version it carried out. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  type Artifact,
  asApiError,
  type Changed,
  type Run,
  type Version
} from '../api';
import type { Overview } from '../panel/model';
import { FreshPoll } from '../ui/poll';
import { Scroll } from '../ui/terminal';
import { isLive } from '../ui/words';

const LIVE = 1_000;
/** Pieces of 64 KiB that are read one after the other; what lies between them and the end of a longer log is skipped. */
const PIECES = 32;
const TAIL = -65_536;

export class RunModel implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly overview: Overview,
    readonly id: string
  ) {
    this.poll = new FreshPoll(`slipway:run-${id}`, () => this.fetch(), { interval: LIVE, max: 30_000 });
    overview.hinted.connect(this.onHint, this);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  run: Run | null = null;
  version: Version | null = null;
  /** Why the last request failed; null when it did not. */
  error: ApiError | null = null;
  readonly log = new Scroll();
  /** The middle of a long log was skipped. */
  logSkipped = false;
  /** nbformat outputs; null until they were asked for. */
  outputs: readonly Record<string, unknown>[] | null = null;
  artifacts: readonly Artifact[] | null = null;

  start(): void {
    void this.poll.start();
  }

  refresh(): Promise<void> {
    return this.poll.refresh();
  }

  async cancel(): Promise<void> {
    await this.change(this.api.runs.cancel(this.id));
  }

  /** A new run of the same version with the same parameters; null when refused. */
  async retry(): Promise<Run | null> {
    return this.change(this.api.runs.retry(this.id));
  }

  /** One of the files that it wrote; null when it cannot be had. */
  async file(name: string): Promise<Blob | null> {
    try {
      return await this.api.runs.artifact(this.id, name);
    } catch (error) {
      this.error = asApiError(error);
      this.changedSignal.emit();
      return null;
    }
  }

  get isDisposed(): boolean {
    return this.poll.isDisposed;
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private async change(asked: Promise<Run>): Promise<Run | null> {
    try {
      const run = await asked;
      if (run.id === this.id) {
        this.run = run;
      }
      this.overview.announce({ kind: 'run', id: run.id });
      return run;
    } catch (error) {
      this.error = asApiError(error);
      return null;
    } finally {
      this.changedSignal.emit();
    }
  }

  private onHint(_: Overview, hint: Changed): void {
    if (hint.kind === 'run' && hint.id === this.id) {
      void this.poll.refresh();
    }
  }

  private async fetch(): Promise<void> {
    try {
      const run = await this.api.runs.get(this.id);
      this.run = run;
      if (!this.version) {
        this.version = await this.api.jobs.version(run.job, run.version);
      }
      await this.readLog(run);
      await this.readResults(run);
      this.error = null;
      if (!isLive(run.state)) {
        void this.poll.stop();
      }
    } catch (error) {
      this.error = asApiError(error);
      throw error;
    } finally {
      this.changedSignal.emit();
    }
  }

  private async readLog(run: Run): Promise<void> {
    if (run.attempt !== this.attempt) {
      this.attempt = run.attempt;
      this.offset = 0;
    }
    for (let piece = 0; ; piece++) {
      const skip = piece === PIECES;
      const page = await this.api.runs.log(this.id, skip ? TAIL : this.offset);
      if (skip) {
        this.logSkipped = true;
        this.log.append('\n[…]\n');
      }
      this.log.append(page.text);
      this.offset = page.offset;
      if (run.state === 'running' && page.progress !== null) {
        this.run = { ...run, progress: page.progress, progress_text: page.progress_text };
      }
      if (page.end || page.text === '' || skip) {
        return;
      }
      if (piece % 4 === 3) {
        this.changedSignal.emit();
      }
    }
  }

  private async readResults(run: Run): Promise<void> {
    if (run.state === 'queued') {
      return;
    }
    const [outputs, artifacts] = await Promise.all([
      this.api.runs.outputs(this.id),
      this.api.runs.artifacts(this.id)
    ]);
    // Rendering starts anew with each new list: keep the old one while nothing was added.
    if (JSON.stringify(outputs.items) !== JSON.stringify(this.outputs)) {
      this.outputs = outputs.items;
    }
    this.artifacts = artifacts.items;
  }

  private readonly poll: FreshPoll;
  private readonly changedSignal = new Signal<this, void>(this);
  private offset = 0;
  private attempt = -1;
}
