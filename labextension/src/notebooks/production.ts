/** From which commit of a notebook something runs in production. */
import type { Context } from '../ui/context';

export interface InProduction {
  job: string;
  version: number;
  commit: string;
}

/** Of several jobs of one notebook, the one published last; null when none was published from a commit. */
export async function inProduction(context: Context, path: string): Promise<InProduction | null> {
  const { api, overview } = context;
  const { items } = await api.jobs.list();
  const own = items.filter(job => overview.pathOf(job.notebook) === path && job.production !== null);
  const versions = await Promise.all(own.map(job => api.jobs.version(job.name, job.production!)));
  const [last] = versions
    .filter(version => version.revision?.commit)
    .sort((a, b) => b.created_at.localeCompare(a.created_at));
  return last ? { job: last.job, version: last.number, commit: last.revision!.commit } : null;
}
