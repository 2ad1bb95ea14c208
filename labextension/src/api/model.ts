/** The REST API's values, named; `schema.ts` is generated from the Python structs. */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Artifact = Schemas['Artifact'];
export type Attachment = Schemas['Attachment'];
export type AttachmentItem = Schemas['AttachmentItem'];
export type Badge = Schemas['Badge'];
export type Blame = Schemas['Blame'];
export type CellChange = Schemas['CellChange'];
export type CellConflict = Schemas['CellConflict'];
export type CellInputs = Schemas['CellInputs'];
export type CellPlan = Schemas['CellPlan'];
export type Cluster = Schemas['Cluster'];
export type ClusterLog = Schemas['LogChunk'];
export type ClusterRequest = Schemas['ClusterRequest'];
export type ClusterState = Schemas['ClusterState'];
export type Change = Schemas['Change'];
export type Comparison = Schemas['Comparison'];
export type ConvertedNotebook = Schemas['ConvertedNotebook'];
export type Environment = Schemas['Environment'];
export type Execution = Schemas['Execution'];
export type ExecutionStatus = Schemas['ExecutionStatus'];
export type FiguresAnswer = Schemas['FiguresAnswer'];
export type Figures = Omit<FiguresAnswer, 'again'>;
export type FileRevision = Schemas['FileRevision'];
export type Followed = Schemas['Followed'];
export type FollowedText = Schemas['FollowedText'];
export type FollowedCell = Schemas['FollowedCell'];
export type Frame = Schemas['Frame'];
export type Job = Schemas['Job'];
export type KernelDeath = Schemas['Death'];
export type KernelMessages = Schemas['FramePage'];
export type LastRun = Schemas['LastRun'];
export type LogPage = Schemas['LogPage'];
export type NotebookCell = Schemas['NotebookCell'];
export type NotebookDiff = Schemas['NotebookDiff'];
export type NotebookHistory = Schemas['NotebookHistory'];
export type NotebookMerge = Schemas['NotebookMerge'];
export type PackageComparison = Schemas['PackageComparison'];
export type Parameter = Schemas['Parameter'];
export type ParameterType = Parameter['type'];
export type Plan = Schemas['Plan'];
export type Preview = Schemas['Preview'];
export type Profile = Schemas['Profile'];
export type Progress = Schemas['Progress'];
export type Proof = Schemas['Proof'];
export type ProofProgress = Schemas['ProofProgress'];
export type RadarView = Schemas['RadarView'];
export type References = Schemas['References'];
export type Run = Schemas['Run'];
export type RunError = Schemas['RunError'];
export type RunPage = Schemas['RunPage'];
export type RunState = Schemas['RunState'];
export type Schedule = Schemas['Schedule'];
export type CatchUp = Schedule['catch_up'];
export type Seen = Schemas['Seen'];
export type SharedKernel = Schemas['Kernel'];
export type Status = Schemas['Status'];
export type Version = Schemas['Version'];
export type Waiting = Schemas['Waiting'];
export type Warn = Schemas['Warn'];
export type Workers = Schemas['Workers'];

/** A request in which only the named fields must be given; the server fills in the rest. */
type Asking<T, Required extends keyof T> = Pick<T, Required> & Partial<Omit<T, Required>>;

export type JobChange = Schemas['JobChange'];
export type ParameterEdit = Asking<Schemas['ParameterEdit'], 'name'>;
export type RunRequest = Asking<Schemas['RunRequest'], 'job'>;
export type ScheduleRequest = Asking<Schemas['ScheduleRequest'], 'cron'>;
export type PlanRequest = Asking<
  Omit<Schemas['PlanRequest'], 'edits' | 'snapshot'>,
  'notebook' | 'cells' | 'cell'
> & {
  edits?: ParameterEdit[];
};
export type PublishRequest = PlanRequest & {
  name: string;
  description?: string;
  note?: string;
  proof_id?: string;
  schedule?: ScheduleRequest;
  run?: boolean;
};

export type Published = Schemas['Published'];
export type DiffRequest = Asking<Schemas['DiffRequest'], 'path'>;

/** A hint on the event bus: fetch it again. */
export interface Changed {
  kind: 'job' | 'run' | 'schedule' | 'cluster' | 'kernel' | 'notebook';
  id: string;
}
