/** Values and a server for the tests: each answer can be replaced. */
import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import type { ISignal } from '@lumino/signaling';

import type { Api, Job, Parameter, Plan, Run, Version } from '../api';
import { Overview } from '../panel/model';
import type { Context } from '../ui/context';

export const trans = nullTranslator.load('test');

export function aJob(change: Partial<Job> = {}): Job {
  return {
    name: 'delay-model',
    owner: 'ana',
    production: 2,
    latest: 3,
    created_at: '2026-11-25T10:00:00Z',
    deputy: '',
    description: '',
    notebook: '/home/ada/flights.ipynb',
    cell: 'score',
    schedule: null,
    recent: [],
    fingerprint: 'f',
    policy: { timeout: 3600, attempts: 1, backoff: 10, cluster: '' },
    ...change
  };
}

export function aRun(change: Partial<Run> = {}): Run {
  return {
    id: 'run-1',
    job: 'delay-model',
    version: 2,
    state: 'succeeded',
    queued_at: '2026-11-25T10:00:00Z',
    parameters: {},
    author: 'ana',
    trigger: 'manual',
    schedule: null,
    due: null,
    attempt: 1,
    policy: { timeout: 3600, attempts: 1, backoff: 10, cluster: '' },
    started_at: '2026-11-25T10:00:01Z',
    ended_at: null,
    digest: '',
    value: null,
    error: null,
    progress: null,
    progress_text: '',
    cpu_seconds: null,
    peak_memory: null,
    duration: 3,
    retry_of: null,
    cancelling: false,
    ...change
  };
}

export function aParameter(change: Partial<Parameter> = {}): Parameter {
  return {
    name: 'month',
    type: 'int',
    default: 6,
    description: '',
    on: true,
    cell: 'params',
    item: '',
    inline: false,
    reason: '',
    choices: [],
    ...change
  };
}

export const ENVIRONMENT = { python: '3.11', locked: true, packages: [], lock: '', executable: '', note: '' };

export function aPlan(change: Partial<Plan> = {}): Plan {
  return {
    name: 'flights',
    notebook: 'flights.ipynb',
    cell: 'score',
    cells: [
      { index: 0, id: 'params', kept: true, reason: 'defines month', source: 'month = 6' },
      { index: 1, id: 'peek', kept: false, reason: 'nothing needs it', source: 'month' }
    ],
    parameters: [aParameter()],
    module: 'def main(*, month: int = 6):\n    return month\n',
    environment: ENVIRONMENT,
    warnings: [],
    proof: null,
    lines: [],
    own_modules: {},
    outputs: [],
    fingerprint: '',
    ...change
  };
}

export function aVersion(change: Partial<Version> = {}): Version {
  return {
    job: 'delay-model',
    number: 2,
    notebook: '/home/ada/flights.ipynb',
    cell: 'score',
    module: 'pass\n',
    parameters: [],
    environment: ENVIRONMENT,
    author: 'ana',
    created_at: '2026-11-25T10:00:00Z',
    digest: '',
    digest_format: 1,
    cells: [],
    lines: [],
    outputs: [],
    own_modules: {},
    schema: {},
    proof: null,
    revision: null,
    note: '',
    directory: '/home/ada',
    fingerprint: '',
    ...change
  };
}

/** An API that answers only what a test gives it. */
export function anApi(answers: {
  status?: Api['status'];
  jobs?: Partial<Api['jobs']>;
  runs?: Partial<Api['runs']>;
  publish?: Partial<Api['publish']>;
  clusters?: Partial<Api['clusters']>;
  kernels?: Partial<Api['kernels']>;
}): Api {
  return answers as unknown as Api;
}

export function aContext(api: Api, overview = new Overview(api)): Context {
  return {
    api,
    overview,
    trans,
    locale: 'en',
    commands: new CommandRegistry(),
    highlight: () => Promise.resolve()
  };
}

/** Ask a polling model to fetch, and wait until it tells of the answer. */
export async function fetched(model: {
  changed: ISignal<unknown, void>;
  refresh: () => Promise<void>;
}): Promise<void> {
  await new Promise<void>(resolve => {
    const told = () => {
      model.changed.disconnect(told);
      resolve();
    };
    model.changed.connect(told);
    void model.refresh();
  });
}
