/** The dialog's table of parameters: what was found, and what the person made of it. Pure. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Parameter, ParameterEdit, ParameterType } from '../api';
import { parsed, shown, type Typed } from '../ui/values';

export interface ParameterRow {
  /** As the plan found it first; edits are relative to it. */
  readonly found: Parameter;
  readonly name: string;
  readonly type: ParameterType;
  /** The default as typed. */
  readonly text: string;
  readonly description: string;
  readonly on: boolean;
  /** The person's own: the plan offered it only after it was asked for. */
  readonly added?: true;
}

export function rowOf(found: Parameter): ParameterRow {
  const { name, type, description, on } = found;
  return { found, name, type, text: shown(found.default, found), description, on };
}

/** A row for a variable that the plan did not offer. */
export function addedRow(name: string, type: ParameterType, text: string): ParameterRow {
  const found: Parameter = {
    name,
    type,
    default: null,
    description: '',
    on: true,
    cell: '',
    item: '',
    inline: false,
    reason: '',
    choices: []
  };
  return { found, name, type, text, description: '', on: true, added: true };
}

/** Rows stay as edited; parameters that only a later plan found are added. */
export function merged(rows: readonly ParameterRow[], found: readonly Parameter[]): readonly ParameterRow[] {
  const known = new Set(rows.flatMap(row => [row.name, row.found.name]));
  return [...rows, ...found.filter(one => !known.has(one.name)).map(rowOf)];
}

/** What of a row cannot be as it is, and why. */
export interface RowProblem {
  readonly field: 'name' | 'default';
  readonly text: string;
}

/** Why a row cannot be as it is; null when it can. */
export function rowProblem(
  row: ParameterRow,
  rows: readonly ParameterRow[],
  trans: TranslationBundle
): RowProblem | null {
  if (!row.on) {
    return null;
  }
  if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(row.name)) {
    const text = trans.__('A name is letters, digits and underscores, and begins with no digit.');
    return { field: 'name', text };
  }
  if (rows.some(other => other.found.name !== row.found.name && other.on && other.name === row.name)) {
    return { field: 'name', text: trans.__('Two parameters are named ‘%1’.', row.name) };
  }
  const value = parsed(row.text, typeOf(row), trans);
  return value.ok ? null : { field: 'default', text: value.problem };
}

/** What the person changed of a parameter; null when nothing. */
export function editOf(row: ParameterRow, trans: TranslationBundle): ParameterEdit | null {
  const { found, added } = row;
  if (added && !row.on) {
    return null;
  }
  const edit: ParameterEdit = { name: found.name };
  if (row.name !== found.name) {
    edit.rename = row.name;
  }
  if (added || row.type !== found.type) {
    edit.type = row.type;
  }
  if (row.description !== found.description) {
    edit.description = row.description;
  }
  if (added || row.on !== found.on) {
    edit.on = row.on;
  }
  if (added || row.text !== shown(found.default, found) || row.type !== found.type) {
    const value = parsed(row.text, typeOf(row), trans);
    if (value.ok) {
      edit.default = value.value;
    }
  }
  return Object.keys(edit).length > 1 ? edit : null;
}

/** The item type that was found holds only as long as the type does. */
function typeOf({ found, type, added }: ParameterRow): Typed {
  return { type, item: type === found.type ? found.item : '', default: added ? undefined : found.default };
}
