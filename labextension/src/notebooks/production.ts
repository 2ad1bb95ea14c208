/** What of a notebook runs in production, as one of its states. */
import type { ICell, INotebookContent } from '@jupyterlab/nbformat';

import type { Api } from '../api';
import { comparing } from '../api/compare';
import type { Context } from '../ui/context';

/** How a state is called that no commit holds; job and version follow. */
const PUBLISHED = ':published:';

export interface InProduction {
  job: string;
  version: number;
  /** The commit it was published from, else the code that was published. */
  state: string;
}

/** Of several jobs of one notebook, the one published last; null when there is none. */
export async function inProduction(context: Context, path: string): Promise<InProduction | null> {
  const { api, overview } = context;
  const { items } = await api.jobs.list();
  const own = items.filter(job => overview.pathOf(job.notebook) === path && job.production !== null);
  const versions = await Promise.all(own.map(job => api.jobs.version(job.name, job.production!)));
  const [last] = versions.sort((a, b) => b.created_at.localeCompare(a.created_at));
  if (!last) {
    return null;
  }
  const { job, number: version, revision } = last;
  const state = revision && !revision.dirty ? revision.commit : `${PUBLISHED}${job}:${version}`;
  return { job, version, state };
}

/** The notebook with the code that was published, where that is what a state means; null of any other. */
export async function asPublished(api: Api, path: string, state: string): Promise<object | null> {
  if (!state.startsWith(PUBLISHED)) {
    return null;
  }
  const [job, version] = state.slice(PUBLISHED.length).split(':');
  const [{ cells }, { base }] = await Promise.all([
    api.jobs.version(job, Number(version)),
    comparing(api).diff({ path, base: '', other: '', outputs: true })
  ]);
  return withCode(base as unknown as INotebookContent, cells);
}

/** What is kept of a cell with what was published. */
interface Published {
  id: string;
  /** Among the code cells; below 0, it was run but not there any more. */
  index: number;
  source: string;
}

/** A notebook with other code; a version holds no prose and no outputs, so what is there now stays with its cell. */
export function withCode(notebook: INotebookContent, published: readonly Published[]): INotebookContent {
  const code = published.filter(({ index }) => index >= 0).sort((a, b) => a.index - b.index);
  const known = new Set(code.map(({ id }) => id));
  const now = new Map<unknown, ICell[]>();
  let waiting: ICell[] = [];
  for (const cell of notebook.cells) {
    if (cell.cell_type !== 'code') {
      waiting.push(cell);
    } else if (known.has(String(cell.id))) {
      now.set(cell.id, [...waiting, cell]);
      waiting = [];
    }
  }
  const cells = code.flatMap(({ id, source }) => {
    const there = now.get(id) ?? [];
    const cell = there.at(-1) ?? { cell_type: 'code', id, metadata: {}, outputs: [], execution_count: null };
    return [...there.slice(0, -1), { ...cell, source }];
  });
  return { ...notebook, cells: [...cells, ...waiting] };
}
