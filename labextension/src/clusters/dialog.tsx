/** The dialog that makes a cluster: a profile, then the form made from the profile's schema. */
import { Dialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Cluster, Profile, Workers } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Field, useId } from '../ui/fields';
import { Empty, Problem, Skeleton } from '../ui/parts';
import '../../style/parts.css';
import '../../style/clusters.css';
import { ClusterDraft } from './draft';
import type { Clusters } from './model';
import { SchemaForm } from './schemaForm';
import { engineWords, hourly, money, wantedWords } from './words';

/** Asks what cluster is wanted, and makes it; null when the person thinks better of it. */
export async function askNewCluster(
  context: Context,
  clusters: Clusters,
  asked: { profile: string; notebook: string }
): Promise<Cluster | null> {
  const draft = new ClusterDraft(context.api, clusters, asked.notebook, context.trans);
  const dialog = new NewClusterDialog(context, draft);
  void draft.load(asked.profile).then(() => setTimeout(() => dialog.begin()));
  try {
    await dialog.launch();
    return dialog.created;
  } finally {
    Signal.clearData(draft);
  }
}

/** Stays open until the server has made the cluster, so that a refusal can be mended. */
class NewClusterDialog extends Dialog<unknown> {
  constructor(
    context: Context,
    private readonly draft: ClusterDraft
  ) {
    const { trans } = context;
    super({
      title: trans.__('New cluster'),
      body: new SlipwayWidget(context, () => <Body draft={draft} />),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.createButton({
          label: trans.__('Create'),
          accept: false,
          caption: trans.__('It starts when it is attached'),
          className: 'slipway-mod-create'
        }),
        Dialog.okButton({ label: trans.__('Create and start') })
      ],
      defaultButton: 2,
      focusNodeSelector: '.slipway-NewCluster input'
    });
    this.addClass('slipway-NewClusterDialog');
    this.node.setAttribute('aria-label', trans.__('New cluster'));
    draft.changed.connect(this.enable, this);
    this.enable();
  }

  created: Cluster | null = null;

  /** The form has come: what is first in it has the focus, unless the person is elsewhere in the dialog. */
  begin(): void {
    if (this.waits) {
      this.node.querySelector<HTMLElement>('.slipway-NewCluster input')?.focus();
    }
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    // JupyterLab gives it to the default button, which can do nothing yet: keys would go to what is behind the dialog.
    this.cancel?.focus();
  }

  private get cancel(): HTMLElement | null {
    return this.node.querySelector<HTMLElement>('.jp-Dialog-footer .jp-mod-reject');
  }

  private get waits(): boolean {
    const { activeElement } = document;
    return activeElement === this.cancel || !this.node.contains(activeElement);
  }

  resolve(index = 2): void {
    if (index === 0) {
      super.resolve(0);
    } else if (this.draft.sound && !this.draft.creating) {
      void this.create(index);
    }
  }

  private async create(index: number): Promise<void> {
    this.created = await this.draft.create(index === 2);
    if (this.created) {
      super.resolve(index);
    }
  }

  private enable(): void {
    const ready = this.draft.sound && !this.draft.creating;
    const buttons = '.jp-mod-accept, .slipway-mod-create';
    for (const button of this.node.querySelectorAll<HTMLButtonElement>(buttons)) {
      button.disabled = !ready;
    }
  }
}

function Body({ draft }: { draft: ClusterDraft }): JSX.Element {
  const { trans } = useContext();
  return (
    <UseSignal signal={draft.changed}>
      {() => {
        const { profiles, problem } = draft;
        if (!profiles) {
          return (
            <div className="slipway-NewCluster">
              {problem ? <Problem error={problem} retry={() => void draft.load()} /> : <Skeleton lines={6} />}
            </div>
          );
        }
        if (!profiles.length) {
          return (
            <Empty>{trans.__('There is no profile: an administrator writes them into profiles.yaml.')}</Empty>
          );
        }
        return (
          <div className="slipway-NewCluster">
            {problem && <Problem error={problem} />}
            <ProfileCards draft={draft} profiles={profiles} />
            <Field
              label={trans.__('Name')}
              required
              hint={trans.__('Notebooks and jobs know the cluster by it.')}
              problem={draft.nameProblem}
            >
              {attributes => (
                <input
                  {...attributes}
                  spellCheck={false}
                  autoComplete="off"
                  value={draft.name}
                  onChange={event => draft.setName(event.target.value)}
                />
              )}
            </Field>
            <SchemaForm
              groups={draft.groups}
              texts={draft.texts}
              refused={draft.refused}
              onChange={(path, text) => draft.set(path, text)}
            />
            <Cost draft={draft} />
          </div>
        );
      }}
    </UseSignal>
  );
}

function ProfileCards(props: { draft: ClusterDraft; profiles: readonly Profile[] }): JSX.Element {
  const { trans } = useContext();
  const { draft, profiles } = props;
  const group = useId();
  return (
    <fieldset className="slipway-Profiles">
      <legend>{trans.__('Profile')}</legend>
      {profiles.map(profile => (
        <label key={profile.name} className="slipway-Profile" data-on={profile === draft.profile}>
          <input
            type="radio"
            name={group}
            checked={profile === draft.profile}
            onChange={() => draft.choose(profile)}
          />
          <span className="slipway-Profile-words">
            <strong>{profile.title || profile.name}</strong>
            <ProfileFacts profile={profile} />
          </span>
        </label>
      ))}
    </fieldset>
  );
}

function ProfileFacts({ profile }: { profile: Profile }): JSX.Element {
  const { trans, locale } = useContext();
  const { engine, backend, price, currency, labels, defaults } = profile;
  const facts = [
    engineWords(engine),
    ...sizes(defaults, trans),
    ...Object.entries(labels).map(([name, value]) =>
      value === name || value === 'true' ? name : `${name} ${value}`
    ),
    price > 0 ? trans.__('%1 per worker and hour', money(price, currency, locale)) : ''
  ].filter(Boolean);
  return (
    <span className="slipway-Dim" title={backend}>
      {facts.join(' · ')}
    </span>
  );
}

/** `1–4 workers`, `2 cores`, `4 GiB`: what the form begins with. */
function sizes(defaults: Profile['defaults'], trans: Context['trans']): string[] {
  const { workers, cores, memory } = defaults as { workers?: Workers; cores?: number; memory?: string };
  return [
    workers ? wantedWords(workers, trans) : '',
    cores ? trans._n('%1 core', '%1 cores', cores) : '',
    memory ?? ''
  ].filter(Boolean);
}

/** What an hour would cost, as the sizes change. */
function Cost({ draft }: { draft: ClusterDraft }): JSX.Element | null {
  const { trans, locale } = useContext();
  const { profile, workers } = draft;
  if (!profile || !workers || profile.price === 0) {
    return null;
  }
  return (
    <p className="slipway-NewCluster-cost" role="status">
      {trans._n('%1 worker costs', 'Up to %1 workers cost', workers.maximum)}{' '}
      <strong>{hourly(profile.price, profile.currency, workers, trans, locale)}</strong>
      <span className="slipway-Dim"> {trans.__('while they run')}</span>
    </p>
  );
}
