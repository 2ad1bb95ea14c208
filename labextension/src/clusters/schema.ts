/** A JSON Schema of options as fields, and what is typed into them as values. Pure. The server has the last word. */
import type { TranslationBundle } from '@jupyterlab/translation';

type Json = Record<string, unknown>;

export interface SchemaField {
  /** Where its value stands: 'memory', 'workers.minimum'. */
  path: string;
  title: string;
  description: string;
  kind: 'integer' | 'number' | 'text' | 'flag' | 'choice' | 'json';
  choices: readonly unknown[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  required: boolean;
  /** What holds when nothing is typed. */
  initial: unknown;
}

export interface SchemaGroup {
  /** '' for the fields that stand alone. */
  title: string;
  description: string;
  fields: readonly SchemaField[];
}

/** What is typed, by path. */
export type Texts = Readonly<Record<string, string>>;

/** The fields in the schema's order; each property that is an object of its own becomes a group. */
export function groupsOf(schema: Json, defaults: Json): SchemaGroup[] {
  const alone: SchemaField[] = [];
  const groups: SchemaGroup[] = [{ title: '', description: '', fields: alone }];
  const required = requiredOf(schema);
  for (const [name, one] of propertiesOf(schema)) {
    const inner = propertiesOf(one);
    if (inner.length) {
      const given = (defaults[name] ?? one.default ?? {}) as Json;
      const fields = inner.map(([key, part]) =>
        fieldOf(`${name}.${key}`, part, given[key], requiredOf(one).includes(key))
      );
      groups.push({ title: titleOf(name, one), description: textIn(one.description), fields });
    } else {
      alone.push(fieldOf(name, one, defaults[name], required.includes(name)));
    }
  }
  return groups.filter(group => group.fields.length > 0);
}

export function textOf(field: SchemaField, texts: Texts): string {
  return texts[field.path] ?? shown(field.initial);
}

/** Why a text cannot be the field's value; null when it can. */
export function problemOf(field: SchemaField, text: string, trans: TranslationBundle): string | null {
  const value = text.trim();
  if (value === '') {
    return field.required ? trans.__('%1 is needed.', field.title) : null;
  }
  switch (field.kind) {
    case 'integer':
    case 'number': {
      const number = Number(value);
      if (!Number.isFinite(number) || (field.kind === 'integer' && !Number.isInteger(number))) {
        return field.kind === 'integer'
          ? trans.__('‘%1’ is not a whole number.', value)
          : trans.__('‘%1’ is not a number.', value);
      }
      if (field.minimum !== undefined && number < field.minimum) {
        return trans.__('%1 is less than %2.', value, field.minimum);
      }
      if (field.maximum !== undefined && number > field.maximum) {
        return trans.__('%1 is more than %2.', value, field.maximum);
      }
      return null;
    }
    case 'text':
      return field.pattern !== undefined && !new RegExp(field.pattern).test(value)
        ? trans.__('‘%1’ has not the form that is wanted.', value)
        : null;
    case 'json':
      return isJson(value) ? null : trans.__('This is not JSON.');
    default:
      return null;
  }
}

/** Only what was typed and is not the default: what an administrator changes later then holds for it, too. */
export function optionsOf(groups: readonly SchemaGroup[], texts: Texts): Json {
  const options: Json = {};
  for (const field of groups.flatMap(group => group.fields)) {
    const text = textOf(field, texts).trim();
    if (text !== shown(field.initial) && text !== '') {
      const [first, second] = field.path.split('.');
      if (second === undefined) {
        options[first] = valueOf(field, text);
      } else {
        options[first] = {
          ...wholeOf(groups, first),
          ...(options[first] as Json),
          [second]: valueOf(field, text)
        };
      }
    }
  }
  return options;
}

/** A figure that stands in the form, or is its default; null when it is none. */
export function figureOf(groups: readonly SchemaGroup[], texts: Texts, path: string): number | null {
  const field = groups.flatMap(group => group.fields).find(one => one.path === path);
  const text = field ? textOf(field, texts).trim() : '';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : null;
}

/** The field that a refusal is about: such a message begins with 'workers.maximum: …'. */
export function fieldNamed(groups: readonly SchemaGroup[], message: string): SchemaField | undefined {
  const path = /^([\w.]+): /.exec(message)?.[1];
  const fields = groups.flatMap(group => group.fields);
  return fields.find(field => field.path === path) ?? fields.find(field => field.path.split('.')[0] === path);
}

/** The parts of a group that were not typed: a nested object is sent whole. */
function wholeOf(groups: readonly SchemaGroup[], name: string): Json {
  const parts = groups
    .flatMap(group => group.fields)
    .filter(field => field.path.startsWith(`${name}.`) && field.initial !== undefined);
  return Object.fromEntries(parts.map(field => [field.path.slice(name.length + 1), field.initial]));
}

function valueOf(field: SchemaField, text: string): unknown {
  switch (field.kind) {
    case 'integer':
    case 'number':
      return Number(text);
    case 'flag':
      return text === 'true';
    case 'choice':
      return field.choices.find(choice => shown(choice) === text) ?? text;
    case 'json':
      return JSON.parse(text);
    case 'text':
      return text;
  }
}

function fieldOf(path: string, schema: Json, given: unknown, required: boolean): SchemaField {
  const choices = Array.isArray(schema.enum) ? (schema.enum as unknown[]) : [];
  return {
    path,
    title: titleOf(path.split('.').pop()!, schema),
    description: textIn(schema.description),
    kind: choices.length ? 'choice' : kindOf(schema),
    choices,
    minimum: numberOf(schema.minimum),
    maximum: numberOf(schema.maximum),
    pattern: typeof schema.pattern === 'string' ? schema.pattern : undefined,
    required,
    initial: given ?? schema.default
  };
}

function kindOf(schema: Json): SchemaField['kind'] {
  const types = Array.isArray(schema.type) ? (schema.type as unknown[]) : [schema.type];
  switch (types.find(type => type !== 'null')) {
    case 'integer':
      return 'integer';
    case 'number':
      return 'number';
    case 'boolean':
      return 'flag';
    case 'array':
    case 'object':
      return 'json';
    default:
      return 'text';
  }
}

function titleOf(name: string, schema: Json): string {
  const words = typeof schema.title === 'string' && schema.title ? schema.title : name.replace(/_/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function propertiesOf(schema: Json): [string, Json][] {
  return Object.entries((schema.properties ?? {}) as Record<string, Json>);
}

function requiredOf(schema: Json): readonly string[] {
  return Array.isArray(schema.required) ? (schema.required as string[]) : [];
}

function shown(value: unknown): string {
  if (value === undefined || value === null) {
    return '';
  }
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
