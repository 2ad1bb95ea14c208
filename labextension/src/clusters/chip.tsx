/** The chip in a notebook's toolbar: which cluster its kernel computes on, and the menu to choose another. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import { caretDownIcon, UseSignal } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import { Menu } from '@lumino/widgets';
import * as React from 'react';

import type { Cluster } from '../api';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { percent } from '../ui/format';
import '../../style/clusters.css';
import type { Attaching } from './attaching';
import { clusterIcon } from './icons';
import type { Clusters } from './model';
import { clusterStateWords, isUp, silenceWords, workersWords } from './words';
import type { NotebookWork } from './work';

export class Chip extends SlipwayWidget {
  constructor(
    context: Context,
    parts: {
      panel: NotebookPanel;
      clusters: Clusters;
      attaching: Attaching;
      work: NotebookWork;
    }
  ) {
    const changed = new Signal<unknown, void>({});
    super(context, () => <UseSignal signal={changed}>{() => <ChipButton {...parts} />}</UseSignal>);
    this.changed = changed;
    this.addClass('slipway-ChipHost');
    for (const model of [parts.clusters, parts.attaching, parts.work]) {
      (model.changed as typeof parts.clusters.changed).connect(this.draw, this);
    }
  }

  dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  private draw(): void {
    this.changed.emit();
  }

  private readonly changed: Signal<unknown, void>;
}

function ChipButton(props: {
  panel: NotebookPanel;
  clusters: Clusters;
  attaching: Attaching;
  work: NotebookWork;
}): JSX.Element {
  const context = useContext();
  const { trans, locale } = context;
  const { panel, clusters, attaching, work } = props;
  const button = React.useRef<HTMLButtonElement>(null);
  const name = attaching.of(panel);
  const cluster = clusters.find(name);
  const comparison = attaching.comparison(panel);
  const silence = cluster ? silenceWords(cluster, trans, locale) : '';
  const pending = attaching.pending(panel);
  const detail = cluster
    ? pending
      ? trans.__('Attaching…')
      : work.progress && !silence
        ? `${work.progress.done}/${work.progress.total}`
        : cluster.state === 'starting' && cluster.progress !== null
          ? `${clusterStateWords(cluster.state, trans)} ${percent(cluster.progress, locale)}`
          : isUp(cluster.state)
            ? silence || workersWords(cluster, trans)
            : clusterStateWords(cluster.state, trans)
    : '';
  const differs = comparison !== undefined && !comparison.equal;
  const title = !name
    ? trans.__('Choose a cluster for this notebook')
    : [
        cluster
          ? `${name}: ${clusterStateWords(cluster.state, trans)}, ${workersWords(cluster, trans)}`
          : name,
        cluster?.waiting ?? '',
        cluster?.state === 'failed' ? cluster.reason : '',
        comparison?.words ?? ''
      ]
        .filter(Boolean)
        .join('\n');
  const open = () => {
    const menu = clusterMenu(context, clusters.items ?? [], name, comparison?.equal);
    // Before its command runs: a dialog gives the focus back to where it was.
    menu.aboutToClose.connect(() => button.current?.focus());
    const { left, bottom } = button.current!.getBoundingClientRect();
    menu.open(left, bottom + 2);
  };
  return (
    <button
      ref={button}
      type="button"
      className="slipway-Chip"
      data-state={cluster?.state ?? 'none'}
      aria-haspopup="menu"
      aria-label={name ? trans.__('Cluster %1: %2', name, detail) : trans.__('No cluster')}
      title={title}
      onClick={open}
    >
      <clusterIcon.react tag="span" />
      <span className="slipway-Chip-name">{name || trans.__('No cluster')}</span>
      {detail && <span className="slipway-Chip-detail">{detail}</span>}
      {differs && (
        <span className="slipway-Chip-warning" role="img" aria-label={trans.__('Packages differ')}>
          !
        </span>
      )}
      <caretDownIcon.react tag="span" />
    </button>
  );
}

/** Lumino's own separators can take the focus, and claim to be nothing. */
class Renderer extends Menu.Renderer {
  renderItem(data: Menu.IRenderData): ReturnType<Menu.Renderer['renderItem']> {
    const item = super.renderItem(data);
    if (data.item.type === 'separator') {
      const attributes = item.attrs as Record<string, unknown>;
      delete attributes.tabindex;
      attributes.role = 'separator';
    }
    return item;
  }
}

/** Every cluster to attach, then what can be done with the one that is. */
export function clusterMenu(
  { commands, trans }: Context,
  clusters: readonly Cluster[],
  current: string,
  equal: boolean | undefined
): Menu {
  const menu = new Menu({ commands, renderer: new Renderer() });
  menu.addClass('slipway-ClusterMenu');
  for (const cluster of clusters) {
    const state = isUp(cluster.state)
      ? workersWords(cluster, trans)
      : clusterStateWords(cluster.state, trans);
    menu.addItem({
      command: CommandIDs.attachCluster,
      args: {
        cluster: cluster.name,
        label: `${cluster.name}  ·  ${state}`,
        current: cluster.name === current
      }
    });
  }
  if (clusters.length) {
    menu.addItem({ type: 'separator' });
  }
  menu.addItem({ command: CommandIDs.newCluster, args: { attach: true } });
  if (current) {
    menu.addItem({ type: 'separator' });
    menu.addItem({
      command: CommandIDs.openDashboard,
      args: { cluster: current, label: trans.__('Dashboard') }
    });
    menu.addItem({
      command: CommandIDs.openClusterLogs,
      args: { cluster: current, label: trans.__('Logs') }
    });
    menu.addItem({
      command: CommandIDs.comparePackages,
      args: {
        label:
          equal === undefined
            ? trans.__('Compare Packages')
            : equal
              ? trans.__('Packages: Equal')
              : trans.__('Packages: They Differ…')
      }
    });
    menu.addItem({ command: CommandIDs.detachCluster, args: { label: trans.__('Detach from %1', current) } });
  }
  return menu;
}
