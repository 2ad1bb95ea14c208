/** The panel's section of clusters: what each is, what it does just now, and what can be done with it. */
import {
  addIcon,
  CommandToolbarButton,
  deleteIcon,
  linkIcon,
  listIcon,
  PanelWithToolbar,
  runIcon,
  stopIcon,
  UseSignal
} from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Cluster } from '../api';
import { CommandIDs } from '../tokens';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Avatar, Button, Empty, IconButton, Problem, Skeleton } from '../ui/parts';
import '../../style/clusters.css';
import { LiveFigures } from './figures';
import { Gauges } from './gauges';
import { dashboardIcon, scaleIcon } from './icons';
import type { Clusters } from './model';
import { ClusterStateMark, Situation } from './state';
import { engineWords, hourlyNow, isDown, isScalable, isUp, money, workersWords } from './words';

/** Knows whether it is seen: figures are asked for only then. */
export class ClustersSection extends PanelWithToolbar {
  constructor(
    context: Context,
    private readonly clusters: Clusters
  ) {
    super();
    const { trans, commands, api } = context;
    this.id = 'slipway-section-clusters';
    this.addClass('slipway-Section');
    this.figures = new LiveFigures(api);
    const create = new CommandToolbarButton({
      commands,
      id: CommandIDs.newCluster,
      icon: addIcon,
      label: ''
    });
    this.toolbar.addItem('new', create);
    this.toolbar.node.setAttribute('aria-label', trans.__('Clusters'));
    this.addWidget(new SlipwayWidget(context, () => <Body clusters={clusters} figures={this.figures} />));
    const counted = () => {
      const { items } = clusters;
      const label = items ? trans.__('Clusters (%1)', items.length) : trans.__('Clusters');
      if (label !== this.title.label) {
        this.title.label = label;
      }
    };
    clusters.changed.connect(counted, this);
    counted();
  }

  dispose(): void {
    Signal.clearData(this);
    this.figures.dispose();
    super.dispose();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.look();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.look();
    void this.clusters.refresh();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.look();
  }

  private look(): void {
    this.figures.seen = this.isVisible;
  }

  private readonly figures: LiveFigures;
}

function Body(props: { clusters: Clusters; figures: LiveFigures }): JSX.Element {
  const { trans, commands } = useContext();
  const { clusters, figures } = props;
  return (
    <UseSignal signal={clusters.changed}>
      {() => {
        const { items, error } = clusters;
        // When nobody answers, the panel's own banner says so.
        const problem = error && error.status !== 0 && (
          <Problem error={error} retry={() => void clusters.refresh()} />
        );
        if (!items) {
          return problem || (error ? <></> : <Skeleton lines={3} />);
        }
        if (!items.length) {
          return (
            <>
              {problem}
              <Empty
                action={
                  <Button onClick={() => void commands.execute(CommandIDs.newCluster)}>
                    {trans.__('New cluster…')}
                  </Button>
                }
              >
                {trans.__('No clusters yet. A cluster gives notebooks and jobs more cores and memory.')}
              </Empty>
            </>
          );
        }
        return (
          <>
            {problem}
            <ul className="slipway-List" aria-label={trans.__('Clusters')}>
              {items.map(cluster => (
                <Row
                  key={cluster.name}
                  cluster={cluster}
                  mine={clusters.isMine(cluster)}
                  users={clusters.usersOf(cluster.name)}
                  figures={figures}
                />
              ))}
            </ul>
          </>
        );
      }}
    </UseSignal>
  );
}

function Row(props: {
  cluster: Cluster;
  mine: boolean;
  users: readonly string[];
  figures: LiveFigures;
}): JSX.Element {
  const { trans, commands, locale } = useContext();
  const { cluster, mine, users, figures } = props;
  const { name, owner, currency, cost } = cluster;
  const up = isUp(cluster.state);
  const facts = [
    engineWords(cluster.engine),
    workersWords(cluster, trans),
    hourlyNow(cluster, trans, locale),
    cost >= 0.005 ? trans.__('%1 so far', money(Math.round(cost * 100) / 100, currency, locale)) : ''
  ].filter(Boolean);
  return (
    <li className="slipway-Row slipway-Cluster" data-state={cluster.state}>
      <div className="slipway-Row-title">
        <span className="slipway-Dot" data-state={cluster.state} aria-hidden="true" />
        <NameButton cluster={cluster} users={users} />
        {owner && !mine && <Avatar name={owner} />}
        <ClusterStateMark cluster={cluster} />
      </div>
      <div className="slipway-Cluster-facts">
        {facts.map(fact => (
          <span key={fact}>{fact}</span>
        ))}
        {!up && <RowActions cluster={cluster} mine={mine} />}
      </div>
      <Situation
        cluster={cluster}
        keep={() => void commands.execute(CommandIDs.keepCluster, { cluster: name })}
      />
      {up && (
        <div className="slipway-Cluster-live">
          <Gauges cluster={name} figures={figures} />
          <RowActions cluster={cluster} mine={mine} />
        </div>
      )}
    </li>
  );
}

/** The name: a click lets the notebook in front compute on the cluster. */
function NameButton(props: { cluster: Cluster; users: readonly string[] }): JSX.Element {
  const { trans, commands } = useContext();
  const { cluster, users } = props;
  const args = { cluster: cluster.name };
  const holders = cluster.holders
    ? `${trans._n('%1 kernel or run uses it', '%1 kernels and runs use it', cluster.holders)}: ${users.join(', ')}`
    : trans.__('nobody uses it');
  return (
    <button
      type="button"
      className="slipway-Cluster-name"
      title={trans.__('Attach the notebook to %1 (%2, profile %3)', cluster.name, holders, cluster.profile)}
      onClick={() => void commands.execute(CommandIDs.attachCluster, args)}
    >
      {cluster.name}
    </button>
  );
}

function RowActions({ cluster, mine }: { cluster: Cluster; mine: boolean }): JSX.Element {
  const { trans, commands } = useContext();
  const { name, state, owner } = cluster;
  /** What only the owner may do says so to the others. */
  const owned = (label: string) => (mine ? label : trans.__('%1: only %2 may', label, owner));
  const act = (command: string) => () => void commands.execute(command, { cluster: name });
  return (
    <span className="slipway-Cluster-actions">
      <IconButton
        icon={linkIcon}
        label={trans.__('Attach the notebook to %1', name)}
        onClick={act(CommandIDs.attachCluster)}
      />
      {cluster.dashboard && isUp(state) && (
        <IconButton
          icon={dashboardIcon}
          label={trans.__('Dashboard of %1', name)}
          onClick={act(CommandIDs.openDashboard)}
        />
      )}
      <IconButton
        icon={listIcon}
        label={trans.__('Logs of %1', name)}
        onClick={act(CommandIDs.openClusterLogs)}
      />
      {isUp(state) && isScalable(cluster) && (
        <IconButton
          icon={scaleIcon}
          label={owned(trans.__('Scale %1', name))}
          disabled={!mine}
          onClick={act(CommandIDs.scaleCluster)}
        />
      )}
      {isDown(state) ? (
        <IconButton
          icon={runIcon}
          label={owned(trans.__('Start %1', name))}
          disabled={!mine}
          onClick={act(CommandIDs.startCluster)}
        />
      ) : (
        <IconButton
          icon={stopIcon}
          label={owned(trans.__('Stop %1', name))}
          disabled={!mine || state === 'stopping'}
          onClick={act(CommandIDs.stopCluster)}
        />
      )}
      <IconButton
        icon={deleteIcon}
        label={owned(trans.__('Delete %1', name))}
        disabled={!mine}
        onClick={act(CommandIDs.deleteCluster)}
      />
    </span>
  );
}
