import { render } from '@testing-library/react';
import * as React from 'react';
import { expect, it } from 'vitest';

import { Prose } from './parts';

it.each([
  ['defines `df`; changes `fit`', ['df', 'fit'], 'defines df; changes fit'],
  ['`df` is gone', ['df'], 'df is gone'],
  ['nothing is named', [], 'nothing is named'],
  ['one ` alone', [], 'one ` alone']
])('shows what stands between backticks as code: %s', (text, code, shown) => {
  const { container } = render(<Prose text={text} />);

  expect([...container.querySelectorAll('code')].map(one => one.textContent)).toEqual(code);
  expect(container.textContent).toBe(shown);
});
