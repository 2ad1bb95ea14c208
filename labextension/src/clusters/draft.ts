/** A cluster in the making: which profile, what was typed, what it would cost, why it was refused. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, type ApiError, asApiError, type Cluster, type Profile, type Workers } from '../api';
import type { Clusters } from './model';
import {
  fieldNamed,
  figureOf,
  groupsOf,
  optionsOf,
  problemOf,
  type SchemaGroup,
  textOf,
  type Texts
} from './schema';
import { suggestedName } from './words';

/** As the server asks for it: a letter, then lower-case letters, digits and hyphens. */
const NAME = /^[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

export class ClusterDraft {
  constructor(
    private readonly api: Api,
    private readonly clusters: Clusters,
    /** What the name is made from: the notebook's path, or ''. */
    private readonly origin: string,
    private readonly trans: TranslationBundle
  ) {}

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** null until the first answer. */
  profiles: readonly Profile[] | null = null;
  profile: Profile | null = null;
  name = '';
  texts: Texts = {};
  /** Why the profiles cannot be told, or the cluster cannot be made, when no field is at fault. */
  problem: ApiError | null = null;
  /** What the server refused of a field, by its path; 'name' is the cluster's own. */
  refused: Readonly<Record<string, string>> = {};
  creating = false;

  async load(profile = ''): Promise<void> {
    try {
      this.profiles = (await this.api.clusters.profiles()).items;
      this.problem = null;
      const first = this.profiles.find(({ name }) => name === profile) ?? this.profiles[0];
      if (first) {
        this.choose(first);
      }
    } catch (error) {
      this.problem = asApiError(error);
    }
    this.changedSignal.emit();
  }

  choose(profile: Profile): void {
    this.profile = profile;
    this.texts = {};
    this.refused = {};
    this.problem = null;
    if (!this.named) {
      const taken = (this.clusters.items ?? []).map(({ name }) => name);
      this.name = suggestedName(this.origin, profile.engine, taken);
    }
    this.changedSignal.emit();
  }

  setName(name: string): void {
    this.named = true;
    this.name = name;
    this.refused = { ...this.refused, name: '' };
    this.changedSignal.emit();
  }

  set(path: string, text: string): void {
    this.texts = { ...this.texts, [path]: text };
    this.refused = { ...this.refused, [path]: '' };
    this.changedSignal.emit();
  }

  get groups(): SchemaGroup[] {
    return this.profile ? groupsOf(this.profile.schema, this.profile.defaults) : [];
  }

  get nameProblem(): string | null {
    const { name, trans } = this;
    if (name.trim() === '') {
      return trans.__('A cluster needs a name.');
    }
    if (!NAME.test(name.trim())) {
      return trans.__(
        'Start with a letter, then lower-case letters, digits, hyphens; 2 to 63 in all: ‘etl-dask’.'
      );
    }
    return this.clusters.find(name.trim())
      ? trans.__('There is a cluster of this name.')
      : this.refused.name || null;
  }

  /** How many workers it would have; null when the form does not say. */
  get workers(): Workers | null {
    const maximum = figureOf(this.groups, this.texts, 'workers.maximum');
    const minimum = figureOf(this.groups, this.texts, 'workers.minimum') ?? maximum;
    return maximum === null || minimum === null ? null : { minimum: Math.min(minimum, maximum), maximum };
  }

  /** Whether all that was typed can be sent. */
  get sound(): boolean {
    const fields = this.groups.flatMap(group => group.fields);
    return (
      this.profile !== null &&
      this.nameProblem === null &&
      fields.every(field => problemOf(field, textOf(field, this.texts), this.trans) === null)
    );
  }

  /** The cluster, started or not; null when refused, and then `problem` or `refused` says why. */
  async create(start: boolean): Promise<Cluster | null> {
    if (!this.profile) {
      return null;
    }
    this.creating = true;
    this.problem = null;
    this.refused = {};
    this.changedSignal.emit();
    try {
      const request = {
        name: this.name.trim(),
        profile: this.profile.name,
        options: optionsOf(this.groups, this.texts),
        start: false
      };
      const made = await this.clusters.change(this.api.clusters.create(request, this.key));
      return start ? await this.started(made.name) : made;
    } catch (error) {
      this.key = UUID.uuid4();
      this.place(asApiError(error));
      return null;
    } finally {
      this.creating = false;
      this.changedSignal.emit();
    }
  }

  /** One that may not start is taken back, so that its sizes can be mended. */
  private async started(name: string): Promise<Cluster> {
    try {
      return await this.clusters.startCluster(name);
    } catch (error) {
      await this.clusters.remove(name);
      throw error;
    }
  }

  /** A refusal stands at the field that it is about, else above the form. */
  private place(error: ApiError): void {
    const field = fieldNamed(this.groups, error.message);
    if (field) {
      this.refused = { [field.path]: error.text };
    } else if (error.message.includes(`'${this.name.trim()}'`)) {
      this.refused = { name: error.text };
    } else {
      this.problem = error;
    }
  }

  private readonly changedSignal = new Signal<this, void>(this);
  private named = false;
  private key = UUID.uuid4();
}
