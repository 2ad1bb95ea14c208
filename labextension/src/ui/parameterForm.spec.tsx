import { fireEvent, screen, waitFor } from '@testing-library/react';
import { Widget } from '@lumino/widgets';
import * as React from 'react';
import { afterEach, expect, it, vi } from 'vitest';

import { aContext, anApi, aParameter } from '../testing/fake';
import { SlipwayWidget } from './context';
import { ParameterForm } from './parameterForm';

const PARAMETERS = [
  aParameter({ description: 'of the flights' }),
  aParameter({ name: 'label', type: 'str', default: 'delay' }),
  aParameter({ name: 'airline', type: 'str', default: 'AA' })
];
const SCHEMA = { properties: { airline: { enum: ['AA', 'UA'] } } };

function show(onSubmit: (values: Record<string, unknown>) => void, initial?: Record<string, unknown>) {
  const form = () => (
    <ParameterForm
      parameters={PARAMETERS}
      schema={SCHEMA}
      submit="Run"
      onSubmit={onSubmit}
      initial={initial}
    />
  );
  Widget.attach(new SlipwayWidget(aContext(anApi({})), form), document.body);
  return waitFor(() => screen.getByLabelText('month') as HTMLInputElement);
}

afterEach(() => {
  document.body.replaceChildren();
});

it('sends only what differs from the defaults', async () => {
  const submitted = vi.fn();
  fireEvent.change(await show(submitted), { target: { value: '7' } });
  fireEvent.click(screen.getByText('Run'));

  expect(submitted).toHaveBeenCalledWith({ month: 7 });
});

it('says what is no value, and sends nothing', async () => {
  const submitted = vi.fn();
  fireEvent.change(await show(submitted), { target: { value: 'June' } });

  expect(screen.getByText('‘June’ is not a whole number.')).toBeTruthy();
  expect((screen.getByText('Run') as HTMLButtonElement).disabled).toBe(true);
});

it('offers the choices of an enumeration, and begins with the values of an earlier run', async () => {
  await show(() => undefined, { airline: 'UA' });

  const choice = screen.getByLabelText('airline') as HTMLSelectElement;
  expect([choice.value, choice.options.length]).toEqual(['UA', 2]);
});
