import type { NotebookPanel } from '@jupyterlab/notebook';
import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';

import type { Cluster, PackageComparison, Progress } from '../api';
import { aCluster, clusterAnswers } from '../testing/clusters';
import { aContext, anApi } from '../testing/fake';
import { CommandIDs } from '../tokens';
import { SlipwayWidget } from '../ui/context';
import type { Attaching } from './attaching';
import { ProgressLine } from './cellBar';
import { Chip, clusterMenu } from './chip';
import { Clusters } from './model';
import { Comparison } from './packages';
import type { NotebookWork } from './work';

const DIFFERENT: PackageComparison = {
  equal: false,
  words: '1 of 61 packages differ: pandas.',
  rows: [{ name: 'pandas', kernel: '', workers: '2.2.3', where: 'all workers' }],
  plan: {
    install: ['pandas==2.2.3'],
    refused: [{ name: 'dask', why: 'scheduler and workers speak by it' }],
    words: '2 workers are restarted.',
    digest: 'd1'
  }
};

const context = () => aContext(anApi({ clusters: clusterAnswers([]) }));

function show(cluster: Cluster | null, comparison?: PackageComparison, progress: Progress | null = null) {
  const handed = context();
  const clusters = new Clusters(handed.api, handed.overview);
  clusters.items = cluster ? [cluster] : [];
  const attaching = {
    changed: new Signal({}),
    of: () => cluster?.name ?? '',
    pending: () => false,
    comparison: () => comparison
  };
  const work = { changed: new Signal({}), progress };
  Widget.attach(
    new Chip(handed, {
      panel: {} as NotebookPanel,
      clusters,
      attaching: attaching as unknown as Attaching,
      work: work as unknown as NotebookWork
    }),
    document.body
  );
}

afterEach(() => document.body.replaceChildren());

it.each([
  [null, 'No cluster'],
  [aCluster(), 'Cluster etl-dask: 2/4 workers'],
  [aCluster({ state: 'starting', progress: 0.4 }), 'Cluster etl-dask: Starting 40%'],
  [aCluster({ state: 'failed', reason: 'no memory' }), 'Cluster etl-dask: Failed']
])('says which cluster there is, and how it is', async (cluster, name) => {
  show(cluster);
  expect((await screen.findByRole('button', { name })).getAttribute('aria-haspopup')).toBe('menu');
});

it('shows how far the running cell has come', async () => {
  show(aCluster(), undefined, { done: 24, total: 334, stage: 'read', failed: 0 });
  await screen.findByText('24/334');
});

it('warns when packages differ', async () => {
  show(aCluster(), DIFFERENT);
  const chip = await screen.findByRole('button');
  expect(chip.title).toContain('1 of 61 packages differ: pandas.');
  expect(screen.getByRole('img', { name: 'Packages differ' })).toBeTruthy();
});

it('offers every cluster, and what can be done with the one that is attached', () => {
  const handed = context();
  for (const id of Object.values(CommandIDs)) {
    handed.commands.addCommand(id, { label: args => String(args.label ?? id), execute: () => undefined });
  }
  const menu = clusterMenu(
    handed,
    [aCluster(), aCluster({ name: 'old', state: 'stopped' })],
    'etl-dask',
    false
  );
  expect(menu.items.filter(item => item.type === 'command').map(item => item.label)).toEqual([
    'etl-dask  ·  2/4 workers',
    'old  ·  Stopped',
    CommandIDs.newCluster,
    'Dashboard',
    'Logs',
    'Packages: They Differ…',
    'Detach from etl-dask'
  ]);

  menu.open(0, 0);
  const separators = [...menu.node.querySelectorAll('[data-type="separator"]')];
  expect(separators.map(one => [one.getAttribute('role'), one.hasAttribute('tabindex')])).toEqual([
    ['separator', false],
    ['separator', false]
  ]);
  menu.dispose();
});

it('has the focus again when its menu closes, so that a dialog can give it back', async () => {
  show(null);
  const chip = await screen.findByRole('button', { name: 'No cluster' });
  chip.click();
  const menu = document.querySelector('.lm-Menu')!;
  menu.dispatchEvent(new KeyboardEvent('keydown', { keyCode: 27 }));

  expect(document.activeElement).toBe(chip);
});

it('shows what differs as a table', async () => {
  Widget.attach(new SlipwayWidget(context(), () => Comparison({ comparison: DIFFERENT })), document.body);
  const cells = (await screen.findAllByRole('cell')).map(cell => cell.textContent);
  expect(cells).toEqual(['pandas', 'none', '2.2.3', 'all workers']);
});

it('shows the work of a cell as a figure, with what failed of it', async () => {
  const progress = { done: 1200, total: 3340, stage: 'read-parquet', failed: 2 };
  Widget.attach(
    new SlipwayWidget(context(), () => ProgressLine({ progress, cancelling: false })),
    document.body
  );
  const meter = await screen.findByRole('meter', { name: 'Work on the cluster' });
  expect(meter.getAttribute('aria-valuetext')).toBe('1,200 of 3,340 tasks, 2 failed');
  expect(screen.getByText('read-parquet')).toBeTruthy();
});
