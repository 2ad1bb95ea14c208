/** Requests about notebooks: compared, merged, looked back on, shared, converted, followed on disk. */
import type { Api } from './index';
import type * as m from './model';
import type { Server } from './request';

/** Loaded with the first notebook or page that asks. */
export function comparing(api: Api): Compare {
  return (api.compare ??= new Compare(api.server));
}

export class Compare {
  constructor(private readonly server: Server) {}

  diff(body: m.DiffRequest): Promise<m.NotebookDiff> {
    return this.server.request('POST', ['notebooks', 'diff'], { body });
  }

  /** The sides of a merge in conflict as one, with what a person has to settle. */
  merge(path: string): Promise<m.NotebookMerge> {
    return this.server.request('POST', ['notebooks', 'merge'], { body: { path } });
  }

  /** What the file was is kept as a snapshot before. */
  resolve(path: string, notebook: Record<string, unknown>): Promise<{ snapshot: string | null }> {
    return this.server.request('POST', ['notebooks', 'resolve'], { body: { path, notebook } });
  }

  /** Branches, tags and colleagues to compare with. */
  references(path: string): Promise<m.References> {
    return this.server.request('GET', ['notebooks', 'references'], { query: { path } });
  }

  /** For each cell who made it what it is. */
  blame(path: string): Promise<{ items: m.Blame[] }> {
    return this.server.request('GET', ['notebooks', 'blame'], { query: { path } });
  }

  /** Write it as text or as .ipynb, in its place. */
  convert(body: { notebook: string; format: string; again: boolean }): Promise<m.ConvertedNotebook> {
    return this.server.request('POST', ['notebooks', 'convert'], { body });
  }

  /** What an open notebook becomes when its file has changed. */
  follow(body: {
    notebook: string;
    base: m.CellInputs[];
    mine: m.CellInputs[];
    clean: boolean;
  }): Promise<m.Followed> {
    return this.server.request('POST', ['notebooks', 'follow'], { body });
  }

  /** What an open text becomes when its file has changed. */
  followText(body: { path: string; base: string; mine: string }): Promise<m.FollowedText> {
    return this.server.request('POST', ['notebooks', 'follow-text'], { body });
  }

  /** What a file that is gone was converted to, if it was; `since`: when it last changed, in seconds since 1970. */
  successor(path: string, since: number): Promise<{ path: string }> {
    return this.server.request('GET', ['notebooks', 'successor'], { query: { path, since: String(since) } });
  }

  /** Takes back, in a shared document, what the disk last changed against what was typed. */
  undoMerge(path: string): Promise<void> {
    return this.server.request('POST', ['notebooks', 'undo-merge'], { body: { path } });
  }

  history(path: string, cell = ''): Promise<m.NotebookHistory> {
    return this.server.request('GET', ['notebooks', 'history'], { query: { path, cell } });
  }

  /** What the file was is kept as a snapshot before. */
  restore(path: string, revision: string): Promise<{ snapshot: string | null }> {
    return this.server.request('POST', ['notebooks', 'restore'], { body: { path, revision } });
  }

  snapshot(path: string): Promise<{ snapshot: string | null }> {
    return this.server.request('POST', ['notebooks', 'snapshots'], { body: { path } });
  }

  radar(path: string): Promise<m.RadarView> {
    return this.server.request('GET', ['notebooks', 'radar'], { query: { path } });
  }

  share(path: string, sharing: m.RadarView['sharing'], remote: string): Promise<m.RadarView> {
    return this.server.request('PUT', ['notebooks', 'radar'], { body: { path, sharing, remote } });
  }
}
