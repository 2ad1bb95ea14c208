/** States and verdicts in words: never told by colour alone. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { CatchUp, ParameterType, Proof, RunState } from '../api/model';
import { unreachable } from './unreachable';

export function stateWords(state: RunState, trans: TranslationBundle): string {
  switch (state) {
    case 'queued':
      return trans.__('Queued');
    case 'running':
      return trans.__('Running');
    case 'succeeded':
      return trans.__('Succeeded');
    case 'failed':
      return trans.__('Failed');
    case 'cancelled':
      return trans.__('Cancelled');
    default:
      return unreachable(state);
  }
}

export function isLive(state: RunState): boolean {
  return state === 'queued' || state === 'running';
}

/** `Same result as the notebook, on the cluster etl`. */
export function verdictWords({ verdict, cluster }: Proof, trans: TranslationBundle): string {
  const words = comparisonWords(verdict, trans);
  return cluster ? trans.__('%1, on the cluster %2', words, cluster) : words;
}

function comparisonWords(verdict: Proof['verdict'], trans: TranslationBundle): string {
  switch (verdict) {
    case 'same':
      return trans.__('Same result as the notebook');
    case 'differs':
      return trans.__('Differs from the notebook');
    case 'not comparable':
      return trans.__('Could not be compared');
    default:
      return unreachable(verdict);
  }
}

export function typeWords(type: ParameterType, trans: TranslationBundle): string {
  switch (type) {
    case 'int':
      return trans.__('whole number');
    case 'float':
      return trans.__('number');
    case 'str':
      return trans.__('text');
    case 'bool':
      return trans.__('yes or no');
    case 'date':
      return trans.__('date');
    case 'datetime':
      return trans.__('date and time');
    case 'path':
      return trans.__('path');
    case 'list':
      return trans.__('list');
    case 'dict':
      return trans.__('mapping');
    default:
      return unreachable(type);
  }
}

export function catchUpWords(catchUp: CatchUp, trans: TranslationBundle): string {
  switch (catchUp) {
    case 'skip':
      return trans.__('skip what was missed');
    case 'latest':
      return trans.__('run once for what was missed');
    case 'all':
      return trans.__('run for each time missed');
    default:
      return unreachable(catchUp);
  }
}

/** `[5]`: a cell by its place among the code cells, from 0, as the command line and the module write it. */
export function cellWords(index: number): string {
  return `[${index}]`;
}

/** The words for a trigger that the server names; others stand as they are. */
export function triggerWords(trigger: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    manual: trans.__('by hand'),
    schedule: trans.__('by schedule'),
    retry: trans.__('as a retry')
  };
  return words[trigger] ?? trigger;
}
