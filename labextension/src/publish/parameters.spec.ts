import { expect, it } from 'vitest';

import { aParameter, trans } from '../testing/fake';
import { editOf, merged, rowOf, rowProblem } from './parameters';

it('asks for nothing when nothing was changed', () => {
  expect(editOf(rowOf(aParameter()), trans)).toBeNull();
});

it('asks for what was changed, by the name that was found', () => {
  const row = { ...rowOf(aParameter()), name: 'of_month', text: '7', description: 'of the flights' };

  expect(editOf(row, trans)).toEqual({
    name: 'month',
    rename: 'of_month',
    default: 7,
    description: 'of the flights'
  });
});

it('sends the default anew with another type', () => {
  expect(editOf({ ...rowOf(aParameter()), type: 'str' }, trans)).toEqual({
    name: 'month',
    type: 'str',
    default: '6'
  });
});

it('keeps edited rows when a later plan finds more', () => {
  const edited = { ...rowOf(aParameter()), name: 'm' };
  const rate = aParameter({ name: 'rate', type: 'float', default: 0.5 });

  expect(merged([edited], [aParameter({ name: 'm' }), rate])).toEqual([edited, rowOf(rate)]);
});

it('says what is wrong with a row, and which of its fields', () => {
  const row = rowOf(aParameter());
  const other = rowOf(aParameter({ name: 'rate' }));
  const problem = (change: Partial<typeof row>) => rowProblem({ ...row, ...change }, [row, other], trans);

  expect(problem({ name: '2x' })?.text).toContain('begins with no digit');
  expect(problem({ name: 'rate' })).toEqual({ field: 'name', text: 'Two parameters are named ‘rate’.' });
  expect(problem({ text: 'six' })).toEqual({ field: 'default', text: '‘six’ is not a whole number.' });
  expect(problem({ text: 'six', on: false })).toBeNull();
});
