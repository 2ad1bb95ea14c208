/** The REST API, one small class per resource. */
import type { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import type { Clusters } from './clusters';
import type { Compare } from './compare';
import type { Kernels } from './kernels';
import type * as m from './model';
import { Server } from './request';

export * from './model';
export { ApiError, asApiError } from './request';

export class Jobs {
  constructor(private readonly server: Server) {}

  list(): Promise<{ items: m.Job[] }> {
    return this.server.request('GET', ['jobs']);
  }

  get(job: string): Promise<m.Job> {
    return this.server.request('GET', ['jobs', job]);
  }

  change(job: string, body: m.JobChange): Promise<m.Job> {
    return this.server.request('PATCH', ['jobs', job], { body });
  }

  /** Newest first. */
  versions(job: string): Promise<{ items: m.Version[] }> {
    return this.server.request('GET', ['jobs', job, 'versions']);
  }

  version(job: string, number: number): Promise<m.Version> {
    return this.server.request('GET', ['jobs', job, 'versions', number]);
  }

  diff(job: string, old: number, fresh: number): Promise<m.Comparison> {
    return this.server.request('GET', ['jobs', job, 'diff'], { query: { old, new: fresh } });
  }

  rollBack(job: string, version: number): Promise<m.Job> {
    return this.server.request('POST', ['jobs', job, 'rollback'], { body: { version } });
  }

  setSchedule(job: string, body: m.ScheduleRequest): Promise<m.Schedule> {
    return this.server.request('PUT', ['jobs', job, 'schedule'], { body });
  }

  deleteSchedule(job: string): Promise<m.Job> {
    return this.server.request('DELETE', ['jobs', job, 'schedule']);
  }

  pause(job: string): Promise<m.Schedule> {
    return this.server.request('POST', ['jobs', job, 'schedule', 'pause']);
  }

  resume(job: string): Promise<m.Schedule> {
    return this.server.request('POST', ['jobs', job, 'schedule', 'resume']);
  }

  /** A cron line in words, with its next times. */
  preview(cron: string, tz: string): Promise<m.Preview> {
    return this.server.request('GET', ['schedules', 'preview'], { query: { cron, tz } });
  }
}

export class Runs {
  constructor(private readonly server: Server) {}

  /** Newest first, a page at a time; `after` is the `next` of the page before. */
  list(query: { job?: string; state?: m.RunState; after?: string; limit?: number } = {}): Promise<m.RunPage> {
    return this.server.request('GET', ['runs'], { query });
  }

  start(body: m.RunRequest, key: string = UUID.uuid4()): Promise<m.Run> {
    return this.server.request('POST', ['runs'], { body, key });
  }

  get(run: string): Promise<m.Run> {
    return this.server.request('GET', ['runs', run]);
  }

  log(run: string, offset: number): Promise<m.LogPage> {
    return this.server.request('GET', ['runs', run, 'log'], { query: { offset } });
  }

  outputs(run: string): Promise<{ items: Record<string, unknown>[] }> {
    return this.server.request('GET', ['runs', run, 'outputs']);
  }

  artifacts(run: string): Promise<{ items: m.Artifact[] }> {
    return this.server.request('GET', ['runs', run, 'artifacts']);
  }

  artifact(run: string, name: string): Promise<Blob> {
    return this.server.bytes(['runs', run, 'artifacts', name]);
  }

  cancel(run: string): Promise<m.Run> {
    return this.server.request('POST', ['runs', run, 'cancel']);
  }

  retry(run: string, key: string = UUID.uuid4()): Promise<m.Run> {
    return this.server.request('POST', ['runs', run, 'retry'], { key });
  }
}

export class Publish {
  constructor(private readonly server: Server) {}

  plan(body: m.PlanRequest): Promise<m.Plan> {
    return this.server.request('POST', ['publish', 'plan'], { body });
  }

  /** Let a kernel note what each cell changes, from now on. */
  observe(kernel: string): Promise<{ observing: boolean; note: string }> {
    return this.server.request('POST', ['publish', 'observe'], { body: { kernel } });
  }

  prove(body: m.PlanRequest): Promise<m.ProofProgress> {
    return this.server.request('POST', ['publish', 'proofs'], { body, key: UUID.uuid4() });
  }

  proof(id: string): Promise<m.ProofProgress> {
    return this.server.request('GET', ['publish', 'proofs', id]);
  }

  cancelProof(id: string): Promise<m.ProofProgress> {
    return this.server.request('POST', ['publish', 'proofs', id, 'cancel']);
  }

  publish(body: m.PublishRequest, key: string): Promise<m.Published> {
    return this.server.request('POST', ['publish', 'versions'], { body, key });
  }

  /** Which of these cells are published, and which of them have changed since. */
  badges(notebook: string, cells: m.NotebookCell[]): Promise<{ items: m.Badge[] }> {
    return this.server.request('POST', ['publish', 'badges'], { body: { notebook, cells } });
  }
}

export class Api {
  readonly server: Server;
  readonly jobs: Jobs;
  readonly runs: Runs;
  readonly publish: Publish;
  /** These are set by what brings them: nothing of them loads at start. */
  compare?: Compare;
  clusters!: Clusters;
  kernels!: Kernels;

  constructor(settings: ServerConnection.ISettings) {
    this.server = new Server(settings);
    this.jobs = new Jobs(this.server);
    this.runs = new Runs(this.server);
    this.publish = new Publish(this.server);
  }

  status(): Promise<m.Status> {
    return this.server.request('GET', ['status']);
  }
}
