import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents, Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { expect, it, vi } from 'vitest';

import { ApiError, type AttachmentItem, type Cluster } from '../api';
import { Overview } from '../panel/model';
import { aCluster, aKernel, clusterAnswers } from '../testing/clusters';
import { anApi, fetched, trans } from '../testing/fake';
import { Attaching } from './attaching';
import { Clusters } from './model';

/** A server that keeps who uses what, and a notebook on it. */
function made(state: Cluster['state'] = 'running', change: object = {}) {
  const server = { cluster: aCluster({ state }), attachments: [] as AttachmentItem[] };
  const attach = vi.fn((cluster: string, holder: string, _: string) => {
    server.attachments = [{ holder, kind: 'kernel', cluster, person: 'ana' }];
    return Promise.resolve({ cluster: server.cluster, attachment: { environ: {}, code: '', names: [] } });
  });
  const detach = vi.fn((..._: [string, string]) => {
    server.attachments = [];
    return Promise.resolve(server.cluster);
  });
  const answers = clusterAnswers([], {
    list: vi.fn(() => Promise.resolve({ items: [server.cluster] })),
    attachments: vi.fn(() => Promise.resolve({ items: server.attachments })),
    packages: vi.fn(() =>
      Promise.resolve({
        equal: true,
        words: 'all the same',
        rows: [],
        plan: { install: [], refused: [], words: '', digest: '' }
      })
    ),
    start: vi.fn(() => Promise.resolve((server.cluster = aCluster({ state: 'starting' })))),
    attach,
    detach,
    ...change
  });
  const api = anApi({ clusters: answers });
  const clusters = new Clusters(api, new Overview(api));
  const { kernel } = aKernel();
  const { panel, ...signals } = aPanel(kernel);
  const notebooks = {
    forEach: (act: (one: NotebookPanel) => void) => act(panel),
    widgetAdded: new Signal({})
  } as unknown as INotebookTracker;
  const contents = { localPath: (path: string) => path } as Contents.IManager;
  const attaching = new Attaching(api, clusters, contents, notebooks, trans);
  return { answers, attach, detach, attaching, clusters, panel, server, ...signals };
}

function aPanel(kernel: Kernel.IKernelConnection) {
  const sessionContext = {
    session: { kernel },
    statusChanged: null as unknown,
    kernelChanged: null as unknown
  };
  const status = new Signal<unknown, string>(sessionContext);
  const kernelChanged = new Signal<unknown, unknown>(sessionContext);
  const connection = new Signal<unknown, string>(sessionContext);
  Object.assign(sessionContext, {
    statusChanged: status,
    kernelChanged,
    connectionStatusChanged: connection
  });
  const panel = { sessionContext, context: { path: 'a/flights.ipynb' } } as unknown as NotebookPanel;
  return { panel, status, kernelChanged, connection };
}

it('attaches at once to a cluster that runs, and compares the packages', async () => {
  const { attaching, attach, clusters, panel } = made();
  await fetched(clusters);
  const compared = vi.fn();
  attaching.compared.connect((_, { comparison }) => compared(comparison.words));
  await attaching.attach(panel, 'etl-dask');

  expect(attach.mock.calls).toEqual([['etl-dask', 'kernel-1', 'a/flights.ipynb']]);
  expect(attaching.of(panel)).toBe('etl-dask');
  await vi.waitFor(() => expect(compared).toHaveBeenCalledWith('all the same'));
  expect(attaching.comparison(panel)?.equal).toBe(true);
});

it('starts a cluster that is stopped, and attaches when it runs', async () => {
  const { attaching, attach, clusters, panel, server } = made('stopped');
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  expect(attaching.of(panel)).toBe('etl-dask');
  expect(attach).not.toHaveBeenCalled();

  server.cluster = aCluster();
  await fetched(clusters);
  await vi.waitFor(() => expect(attach).toHaveBeenCalledOnce());
});

it('waits no longer for a cluster that failed', async () => {
  const { attaching, attach, clusters, panel, server } = made('stopped');
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  server.cluster = aCluster({ state: 'failed', reason: 'no memory' });
  await fetched(clusters);

  await vi.waitFor(() => expect(attaching.of(panel)).toBe(''));
  expect(attach).not.toHaveBeenCalled();
});

it('is attached to nothing when the cluster may not start', async () => {
  const quota = new ApiError(409, 'quota', 'That is more than the quota.');
  const { attaching, clusters, panel } = made('stopped', { start: () => Promise.reject(quota) });
  await fetched(clusters);

  await expect(attaching.attach(panel, 'etl-dask')).rejects.toBe(quota);
  expect(attaching.of(panel)).toBe('');
});

it('attaches a restarted kernel anew', async () => {
  const { attaching, attach, clusters, panel, status, connection } = made();
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  status.emit('restarting');
  expect(attaching.pending(panel)).toBe(true);
  // Of the process that is just ending.
  status.emit('busy');
  status.emit('idle');
  expect(attach).toHaveBeenCalledOnce();
  connection.emit('connected');

  await vi.waitFor(() => expect(attach).toHaveBeenCalledTimes(2));
  await vi.waitFor(() => expect(attaching.pending(panel)).toBe(false));
});

it('has a restarted kernel ready only when it has its cluster again', async () => {
  const { attaching, attach, clusters, panel, server, status, connection } = made();
  const kernel = panel.sessionContext.session!.kernel!;
  kernel.restart = () => {
    status.emit('restarting');
    connection.emit('connected');
    return Promise.resolve();
  };
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  const given = { cluster: server.cluster, attachment: { environ: {}, code: '', names: [] } };
  let give = () => {};
  attach.mockImplementationOnce(() => new Promise(resolve => (give = () => resolve(given))));
  const ready = vi.fn();
  void kernel.restart().then(ready);
  await new Promise(resolve => setTimeout(resolve));
  expect(ready).not.toHaveBeenCalled();

  give();
  await vi.waitFor(() => expect(ready).toHaveBeenCalledOnce());
});

it('takes the cluster along to another kernel', async () => {
  const { attaching, attach, clusters, detach, panel, kernelChanged } = made();
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  const oldValue = panel.sessionContext.session!.kernel;
  const newValue = aKernel('kernel-2').kernel;
  Object.assign(panel.sessionContext.session!, { kernel: newValue });
  kernelChanged.emit({ oldValue, newValue });

  await vi.waitFor(() => expect(attach.mock.calls[1]).toEqual(['etl-dask', 'kernel-2', 'a/flights.ipynb']));
  expect(detach.mock.calls).toEqual([['etl-dask', 'kernel-1']]);
});

it('lets go of the cluster', async () => {
  const { attaching, clusters, detach, panel } = made();
  await fetched(clusters);
  await attaching.attach(panel, 'etl-dask');
  await attaching.detach(panel);

  expect(detach.mock.calls).toEqual([['etl-dask', 'kernel-1']]);
  expect(attaching.of(panel)).toBe('');
});

it('says what to do when the notebook has no kernel', async () => {
  const { attaching, panel } = made();
  Object.assign(panel.sessionContext, { session: null });
  await expect(attaching.attach(panel, 'etl-dask')).rejects.toMatchObject({ hint: 'Choose one first.' });
});
