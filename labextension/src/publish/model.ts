/** A publish in the making: the plan, what the person changed of it, its proof. The dialog draws it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { UUID } from '@lumino/coreutils';
import { Debouncer } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import {
  type Api,
  type ApiError,
  asApiError,
  type ParameterEdit,
  type ParameterType,
  type Plan,
  type PlanRequest,
  type ProofProgress,
  type Published
} from '../api';
import { ScheduleDraft } from '../jobs/schedule';
import { addedRow, editOf, merged, type ParameterRow, rowProblem } from './parameters';

/** After the last key press. */
const REPLAN = 250;
const REPROVE = 900;
const POLL = 400;

export class PublishModel implements IDisposable {
  constructor(
    private readonly api: Api,
    private readonly cell: PlanRequest,
    private readonly trans: TranslationBundle
  ) {
    this.name = cell.name ?? '';
    this.named = this.name !== '';
    this.schedule = new ScheduleDraft(api, null);
    this.schedule.changed.connect(() => this.emit(), this);
  }

  get changed(): ISignal<this, void> {
    return this.changedSignal;
  }

  /** null until the first plan. */
  plan: Plan | null = null;
  /** Why the cell cannot be planned as it is. */
  problem: ApiError | null = null;
  /** Why the last attempt to register was refused. */
  refusal: ApiError | null = null;
  proof: ProofProgress | null = null;
  /** Why the proof could not be started or followed. */
  proofProblem: ApiError | null = null;
  parameters: readonly ParameterRow[] = [];
  name = '';
  /** The person has chosen the name. */
  named = false;
  description = '';
  note = '';
  readonly schedule: ScheduleDraft;
  publishing = false;

  /** Plan, then begin to prove. */
  async start(): Promise<void> {
    await this.replan();
    if (this.plan) {
      await this.prove();
    }
  }

  setName(name: string): void {
    this.named = true;
    this.name = name;
    this.edited();
  }

  setText(field: 'description' | 'note', text: string): void {
    this[field] = text;
    this.refusal = null;
    this.emit();
  }

  setParameter(found: string, change: Partial<ParameterRow>): void {
    this.parameters = this.parameters.map(row => (row.found.name === found ? { ...row, ...change } : row));
    this.edited();
  }

  /** Make a variable of the cells a parameter; null when the server agrees, else why it cannot be. */
  async addParameter(name: string, type: ParameterType, text: string): Promise<ApiError | null> {
    const row = addedRow(name, type, text);
    const edit = editOf(row, this.trans);
    try {
      const edits = edit ? [...this.edits, edit] : this.edits;
      const plan = await this.api.publish.plan({ ...this.request(), edits });
      this.parameters = [...this.parameters, row];
      this.take(plan);
      this.edited();
      return null;
    } catch (error) {
      return asApiError(error);
    }
  }

  get edits(): ParameterEdit[] {
    return this.parameters.flatMap(row => editOf(row, this.trans) ?? []);
  }

  /** Whether all that was typed can be sent. */
  get sound(): boolean {
    return (
      this.name.trim() !== '' &&
      this.plan !== null &&
      this.problem === null &&
      this.filled &&
      this.schedule.sound
    );
  }

  /** Whether each parameter is one as it was typed. */
  get filled(): boolean {
    return this.parameters.every(row => rowProblem(row, this.parameters, this.trans) === null);
  }

  /** Whether the proof that ran is of what would be registered now. */
  get proofCurrent(): boolean {
    return this.proof !== null && this.proved === this.key();
  }

  async prove(): Promise<void> {
    await this.cancelProof();
    if (!this.filled) {
      return;
    }
    const key = this.key();
    this.proved = key;
    try {
      this.proof = await this.api.publish.prove(this.request());
      this.proofProblem = null;
      this.emit();
      await this.follow(key);
    } catch (error) {
      this.proofProblem = asApiError(error);
      this.emit();
    }
  }

  async cancelProof(): Promise<void> {
    this.reprove.stop();
    const proof = this.proof;
    if (proof && !proof.done) {
      this.proof = null;
      this.proved = '';
      this.emit();
      await this.api.publish.cancelProof(proof.id).catch(() => undefined);
    }
  }

  /** Register; null when refused, and then `refusal` says why. */
  async publish(run: boolean): Promise<Published | null> {
    this.publishing = true;
    this.refusal = null;
    this.emit();
    try {
      return await this.api.publish.publish(
        {
          ...this.request(),
          name: this.name.trim(),
          description: this.description || undefined,
          note: this.note,
          proof_id: this.proof?.done && this.proof.plan && this.proofCurrent ? this.proof.id : undefined,
          schedule: this.schedule.request ?? undefined,
          run
        },
        this.idempotency
      );
    } catch (error) {
      this.refusal = asApiError(error);
      // What was refused and mended is another request.
      this.idempotency = UUID.uuid4();
      return null;
    } finally {
      this.publishing = false;
      this.emit();
    }
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    void this.cancelProof();
    this.schedule.dispose();
    this.replanning.dispose();
    this.reprove.dispose();
    Signal.clearData(this);
  }

  private request(): PlanRequest {
    return { ...this.cell, name: this.name.trim(), edits: this.edits };
  }

  /** What a proof is of: the job's name decides nothing of what runs. */
  private key(): string {
    return JSON.stringify(this.edits);
  }

  private edited(): void {
    // What was said of the request before is not said of this one.
    this.refusal = null;
    this.proofProblem = null;
    this.emit();
    void this.replanning.invoke().catch(() => undefined);
    if (!this.proofCurrent) {
      void this.reprove.invoke().catch(() => undefined);
    }
  }

  private async replan(): Promise<void> {
    const asked = ++this.asked;
    if (!this.filled) {
      // The field itself says what is wrong.
      this.problem = null;
      this.emit();
      return;
    }
    try {
      const plan = await this.api.publish.plan(this.request());
      if (asked === this.asked) {
        this.take(plan);
        this.problem = null;
      }
    } catch (error) {
      if (asked === this.asked) {
        this.problem = asApiError(error);
      }
    }
    this.emit();
  }

  private take(plan: Plan): void {
    if (!this.named) {
      this.name = plan.name;
    }
    this.plan = plan;
    this.parameters = merged(this.parameters, plan.parameters);
  }

  private async follow(key: string): Promise<void> {
    while (!this.disposed && this.proved === key && this.proof && !this.proof.done) {
      await new Promise(resolve => setTimeout(resolve, POLL));
      const { proof } = this;
      if (!proof || this.proved !== key) {
        return;
      }
      const next = await this.api.publish.proof(proof.id);
      if (this.proved === key) {
        this.proof = next;
        if (next.done && next.plan && key === this.key()) {
          this.take(next.plan);
        }
        this.emit();
      }
    }
  }

  private emit(): void {
    if (!this.disposed) {
      this.changedSignal.emit();
    }
  }

  private readonly changedSignal = new Signal<this, void>(this);
  private readonly replanning = new Debouncer(() => this.replan(), REPLAN);
  private readonly reprove = new Debouncer(() => this.prove(), REPROVE);
  private idempotency = UUID.uuid4();
  private proved = '';
  private asked = 0;
  private disposed = false;
}
