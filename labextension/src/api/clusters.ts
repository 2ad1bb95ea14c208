/** Clusters over REST. Loaded with what shows them. */
import { URLExt } from '@jupyterlab/coreutils';
import { UUID } from '@lumino/coreutils';

import type * as m from './model';
import type { Server } from './request';

export class Clusters {
  constructor(private readonly server: Server) {}

  list(): Promise<{ items: m.Cluster[] }> {
    return this.server.request('GET', ['clusters']);
  }

  create(body: m.ClusterRequest, key: string = UUID.uuid4()): Promise<m.Cluster> {
    return this.server.request('POST', ['clusters'], { body, key });
  }

  get(cluster: string): Promise<m.Cluster> {
    return this.server.request('GET', ['clusters', cluster]);
  }

  remove(cluster: string): Promise<unknown> {
    return this.server.request('DELETE', ['clusters', cluster]);
  }

  start(cluster: string): Promise<m.Cluster> {
    return this.server.request('POST', ['clusters', cluster, 'start']);
  }

  stop(cluster: string): Promise<m.Cluster> {
    return this.server.request('POST', ['clusters', cluster, 'stop']);
  }

  /** Do not stop it though it is idle. */
  keep(cluster: string): Promise<m.Cluster> {
    return this.server.request('POST', ['clusters', cluster, 'keep']);
  }

  scale(cluster: string, body: m.Workers): Promise<m.Cluster> {
    return this.server.request('POST', ['clusters', cluster, 'scale'], { body });
  }

  figures(cluster: string): Promise<m.FiguresAnswer> {
    return this.server.request('GET', ['clusters', cluster, 'figures']);
  }

  logs(cluster: string, part: string, offset: number): Promise<m.ClusterLog> {
    return this.server.request('GET', ['clusters', cluster, 'logs'], { query: { part, offset } });
  }

  profiles(): Promise<{ items: m.Profile[] }> {
    return this.server.request('GET', ['profiles']);
  }

  /** Kernels and runs that use a cluster. */
  attachments(): Promise<{ items: m.AttachmentItem[] }> {
    return this.server.request('GET', ['attachments']);
  }

  /** Starts the cluster if it does not run. */
  attach(
    cluster: string,
    holder: string,
    path: string
  ): Promise<{ cluster: m.Cluster; attachment: m.Attachment }> {
    return this.server.request('POST', ['clusters', cluster, 'attach'], {
      body: { holder, kind: 'kernel', path }
    });
  }

  detach(cluster: string, holder: string): Promise<unknown> {
    return this.server.request('POST', ['clusters', cluster, 'detach'], { body: { holder } });
  }

  /** Of what a cell has asked for and is not done; null: nothing. `again`: seconds until it is to be asked again. */
  progress(
    cluster: string,
    holder: string,
    cell: string
  ): Promise<{ progress: m.Progress | null; again: number }> {
    return this.server.request('GET', ['clusters', cluster, 'progress'], { query: { holder, cell } });
  }

  /** Stop a cell's work; `remaining` says in words what cannot be stopped. */
  cancel(cluster: string, holder: string, cell: string): Promise<{ remaining: string }> {
    return this.server.request('POST', ['clusters', cluster, 'cancel'], { body: { holder, cell } });
  }

  /** How a kernel's packages differ from those of the cluster. */
  packages(cluster: string, packages: Record<string, string>): Promise<m.PackageComparison> {
    return this.server.request('POST', ['clusters', cluster, 'packages'], { body: { packages } });
  }

  /** Install what the comparison's plan says, and restart the workers; how they compare afterwards. */
  synchronise(
    cluster: string,
    packages: Record<string, string>,
    digest: string
  ): Promise<m.PackageComparison> {
    return this.server.request('POST', ['clusters', cluster, 'synchronise'], { body: { packages, digest } });
  }

  /** The address of its dashboard, through our proxy only. */
  dashboard(cluster: string): string {
    const { baseUrl } = this.server.settings;
    return URLExt.join(baseUrl, 'slipway/clusters', encodeURIComponent(cluster), 'dashboard/');
  }
}
