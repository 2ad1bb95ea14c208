/** Shared kernels over REST. Loaded with what shows them. */
import type * as m from './model';
import type { Server } from './request';

/** Kernels that people share. */
export class Kernels {
  constructor(private readonly server: Server) {}

  get(kernel: string): Promise<m.SharedKernel> {
    return this.server.request('GET', ['kernels', kernel]);
  }

  /** Newest first; `before` is the `next` of the page before. */
  executions(
    kernel: string,
    query: { cell?: string; before?: number; limit?: number } = {}
  ): Promise<{ items: m.Execution[]; next: number | null }> {
    return this.server.request('GET', ['kernels', kernel, 'executions'], { query });
  }

  /** What an execution said, a page at a time; `after` is the `next` of the page before. */
  messages(kernel: string, execution: string, after = 0): Promise<m.KernelMessages> {
    return this.server.request('GET', ['kernels', kernel, 'frames'], { query: { execution, after } });
  }

  /** Take one's own out of the queue. */
  cancel(kernel: string, execution: string): Promise<unknown> {
    return this.server.request('POST', ['kernels', kernel, 'executions', execution, 'cancel']);
  }

  /** '*' is everybody who is not named; no role: no longer named. */
  grant(kernel: string, person: string, role: string): Promise<m.SharedKernel> {
    return this.server.request('PUT', ['kernels', kernel, 'grants'], { body: { person, role } });
  }
}
