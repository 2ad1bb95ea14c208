/** Parameter values between a text field and JSON. Pure. The server has the last word; this says it sooner. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { ParameterType } from '../api/model';
import { unreachable } from './unreachable';

export const PARAMETER_TYPES: readonly ParameterType[] = [
  'int',
  'float',
  'str',
  'bool',
  'date',
  'datetime',
  'path',
  'list',
  'dict'
];

/** A value, or why the text is none. */
export type Parsed = { ok: true; value: unknown } | { ok: false; problem: string };

export interface Typed {
  type: ParameterType;
  item?: string;
  /** null: it need not have a value. */
  default?: unknown;
}

/** The text that a field shows for a value. */
export function shown(value: unknown, { type, item }: Typed): string {
  if (value === null || value === undefined) {
    return '';
  }
  if (type === 'list' && item && Array.isArray(value)) {
    const items = value.map(String);
    // What a comma, a blank or a bracket would make another list of is shown as JSON.
    const plain = items.every(text => text !== '' && text === text.trim() && !/[,[]/.test(text));
    return plain ? items.join(', ') : JSON.stringify(value);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The value that a text stands for. */
export function parsed(text: string, parameter: Typed, trans: TranslationBundle): Parsed {
  const value = text.trim();
  const { type } = parameter;
  if (value === '' && parameter.default === null) {
    return { ok: true, value: null };
  }
  if (value === '' && !['str', 'path', 'list'].includes(type)) {
    return refused(trans.__('A value is needed.'));
  }
  switch (type) {
    case 'str':
    case 'path':
      return { ok: true, value: text };
    case 'int':
      return parsedInt(value, trans);
    case 'float':
      return value !== '' && Number.isFinite(Number(value))
        ? { ok: true, value: Number(value) }
        : refused(trans.__('%1 is not a number.', quoted(value)));
    case 'bool':
      return parsedBool(value, trans);
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value))
        ? { ok: true, value }
        : refused(trans.__('%1 is not a date such as 2026-11-25.', quoted(value)));
    case 'datetime':
      return /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(value) && !Number.isNaN(Date.parse(value))
        ? { ok: true, value: value.replace(' ', 'T') }
        : refused(trans.__('%1 is not a date and time such as 2026-11-25T03:00.', quoted(value)));
    case 'list':
      return parsedList(value, parameter.item ?? '', trans);
    case 'dict':
      return parsedJson(value, isMapping, trans.__('%1 is not a mapping such as {"a": 1}.', quoted(value)));
    default:
      return unreachable(type);
  }
}

function parsedInt(value: string, trans: TranslationBundle): Parsed {
  if (!/^[+-]?\d+$/.test(value)) {
    return refused(trans.__('%1 is not a whole number.', quoted(value)));
  }
  return Number.isSafeInteger(Number(value))
    ? { ok: true, value: Number(value) }
    : refused(
        trans.__('%1 has more digits than a browser can keep: give it on the command line.', quoted(value))
      );
}

function parsedBool(value: string, trans: TranslationBundle): Parsed {
  return value === 'true' || value === 'false'
    ? { ok: true, value: value === 'true' }
    : refused(trans.__('%1 is neither true nor false.', quoted(value)));
}

/** Items of one type stand between commas; mixed lists are JSON. */
function parsedList(value: string, item: string, trans: TranslationBundle): Parsed {
  if (!item || value.startsWith('[')) {
    return parsedJson(value, Array.isArray, trans.__('%1 is not a list such as [1, 2].', quoted(value)));
  }
  const items: unknown[] = [];
  for (const text of value === '' ? [] : value.split(',')) {
    const one = parsed(text.trim(), { type: item as ParameterType }, trans);
    if (!one.ok) {
      return one;
    }
    items.push(one.value);
  }
  return { ok: true, value: items };
}

function parsedJson(text: string, fits: (value: unknown) => boolean, problem: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    return fits(value) ? { ok: true, value } : refused(problem);
  } catch {
    return refused(problem);
  }
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(problem: string): Parsed {
  return { ok: false, problem };
}

function quoted(text: string): string {
  return `‘${text.length > 40 ? `${text.slice(0, 39)}…` : text}’`;
}
