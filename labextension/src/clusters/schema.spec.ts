import { expect, it } from 'vitest';

import { aProfile, SCHEMA } from '../testing/clusters';
import { trans } from '../testing/fake';
import { fieldNamed, figureOf, groupsOf, optionsOf, problemOf } from './schema';

const groups = groupsOf(SCHEMA, aProfile().defaults);
const fieldOf = (path: string) => groups.flatMap(group => group.fields).find(field => field.path === path)!;

it('makes a group of each object, and fields of the rest', () => {
  expect(groups.map(({ title, fields }) => [title, fields.map(field => field.path)])).toEqual([
    ['', ['cores', 'memory']],
    ['Workers', ['workers.minimum', 'workers.maximum']]
  ]);
  expect(fieldOf('memory')).toMatchObject({ title: 'Memory of a worker', initial: '1 GiB', required: true });
});

it.each([
  ['cores', '2.5', '‘2.5’ is not a whole number.'],
  ['cores', '0', '0 is less than 1.'],
  ['workers.maximum', '9', '9 is more than 8.'],
  ['memory', 'much', '‘much’ has not the form that is wanted.'],
  ['memory', '', 'Memory of a worker is needed.'],
  ['cores', '3', null]
])('says at once what %s cannot be: %s', (path, text, problem) => {
  expect(problemOf(fieldOf(path), text, trans)).toBe(problem);
});

it('sends what was changed, a nested object whole', () => {
  expect(optionsOf(groups, { 'workers.maximum': '4', memory: '2 GiB', cores: '1' })).toEqual({
    workers: { minimum: 1, maximum: 4 },
    memory: '2 GiB'
  });
});

it('reads choices, flags and JSON back as what they were', () => {
  const schema = {
    properties: {
      zone: { enum: [1, 2] },
      spot: { type: 'boolean' },
      tags: { type: 'array' },
      factor: { type: ['number', 'null'] }
    }
  };
  const texts = { zone: '2', spot: 'true', tags: '["a"]', factor: '0.5' };
  expect(optionsOf(groupsOf(schema, {}), texts)).toEqual({ zone: 2, spot: true, tags: ['a'], factor: 0.5 });
});

it('knows the figure of a field, typed or not', () => {
  expect(figureOf(groups, {}, 'workers.maximum')).toBe(2);
  expect(figureOf(groups, { 'workers.maximum': '5' }, 'workers.maximum')).toBe(5);
  expect(figureOf(groups, { 'workers.maximum': 'x' }, 'workers.maximum')).toBeNull();
});

it('finds the field that a refusal is about', () => {
  expect(fieldNamed(groups, "memory: '9 TiB' is more than 8 GiB.")?.path).toBe('memory');
  expect(fieldNamed(groups, 'workers.minimum: 5 is more than workers.maximum, 4.')?.path).toBe(
    'workers.minimum'
  );
  expect(fieldNamed(groups, 'etl-dask may have 8 GiB of memory')).toBeUndefined();
});
