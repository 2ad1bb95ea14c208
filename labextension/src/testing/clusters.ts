/** Clusters, profiles and kernels for the tests. */
import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { vi } from 'vitest';

import type { Api, AttachmentItem, Cluster, FiguresAnswer, Profile } from '../api';

export function aCluster(change: Partial<Cluster> = {}): Cluster {
  return {
    name: 'etl-dask',
    owner: 'ana',
    backend: 'dask-local',
    engine: 'dask',
    profile: 'small',
    options: { workers: { minimum: 1, maximum: 4 } },
    workers: { minimum: 1, maximum: 4 },
    cores: 2,
    memory: 4 * 1024 ** 3,
    state: 'running',
    wanted: 'running',
    created_at: '2026-11-25T10:00:00Z',
    waiting: '',
    progress: null,
    reason: '',
    started_at: '2026-11-25T10:00:00Z',
    idle_since: null,
    silent_since: null,
    stops_at: null,
    price: 0.4,
    currency: '$',
    cost: 1.2,
    live_workers: 2,
    holders: 1,
    dashboard: true,
    ...change
  };
}

export function someFigures(change: Partial<FiguresAnswer> = {}): FiguresAnswer {
  return {
    workers: 2,
    cores: 4,
    cpu: 0.62,
    memory: 31 * 1024 ** 3,
    memory_limit: 96 * 1024 ** 3,
    tasks: 310,
    processing: 8,
    done: 24,
    again: 2,
    ...change
  };
}

export const SCHEMA = {
  type: 'object',
  properties: {
    workers: {
      type: 'object',
      title: 'Workers',
      properties: {
        minimum: { type: 'integer', title: 'At least', minimum: 0, default: 1 },
        maximum: { type: 'integer', title: 'At most', minimum: 1, maximum: 8, default: 2 }
      },
      required: ['minimum', 'maximum']
    },
    cores: { type: 'integer', title: 'Cores of a worker', minimum: 1, default: 1 },
    memory: { type: 'string', title: 'Memory of a worker', pattern: '^[0-9]+ ?[GM]iB$', default: '1 GiB' }
  },
  required: ['workers', 'cores', 'memory']
};

export function aProfile(change: Partial<Profile> = {}): Profile {
  return {
    name: 'small',
    title: 'Small: 2 workers on this machine',
    backend: 'dask-local',
    engine: 'dask',
    schema: SCHEMA,
    defaults: { workers: { minimum: 1, maximum: 2 }, cores: 1, memory: '1 GiB' },
    labels: { team: 'data' },
    price: 0.4,
    currency: '$',
    kernel_memory: '',
    limits: { workers: 8, cores: null, memory: null },
    ...change
  };
}

/** A server that knows these clusters; each answer can be replaced. */
export function clusterAnswers<T extends Partial<Api['clusters']>>(items: Cluster[], change = {} as T) {
  return {
    list: vi.fn(() => Promise.resolve({ items })),
    attachments: vi.fn(() => Promise.resolve({ items: [] as AttachmentItem[] })),
    figures: vi.fn(() => Promise.resolve(someFigures())),
    ...change
  };
}

/** A Python kernel that notes what it is asked to do. */
export function aKernel(id = 'kernel-1') {
  const asked: { code: string; silent?: boolean; store_history?: boolean }[] = [];
  const answers: { content: Record<string, unknown> }[] = [];
  const kernel = {
    id,
    isDisposed: false,
    info: Promise.resolve({ language_info: { name: 'python' } }),
    anyMessage: null as unknown,
    restart: () => Promise.resolve(),
    requestExecute: (content: (typeof asked)[number]) => {
      asked.push(content);
      const packages = { status: 'ok', data: { 'application/json': { python: '3.12.1' } } };
      const ok = { content: { status: 'ok', user_expressions: { packages } } };
      return { done: Promise.resolve(answers.shift() ?? ok) };
    }
  };
  kernel.anyMessage = new Signal<unknown, unknown>(kernel);
  return {
    kernel: kernel as unknown as Kernel.IKernelConnection,
    asked,
    /** What it replies next. */
    answers,
    /** Let it send or receive a message. */
    tell: (direction: 'send' | 'recv', msg: unknown) =>
      (kernel.anyMessage as Signal<unknown, unknown>).emit({ direction, msg })
  };
}
