import { screen, waitFor } from '@testing-library/react';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';
import { afterEach, expect, it } from 'vitest';

import type { Badge } from '../api';
import { aContext, anApi } from '../testing/fake';
import { BadgeView } from './badges';

function aBadge(changed: boolean): Badge {
  return { cell: 'c0', job: 'delay-model', version: 1, changed, diff: '' };
}

afterEach(() => document.body.replaceChildren());

it('says what it was last told, also after its cell was out of sight', async () => {
  const view = new BadgeView(aContext(anApi({})), [aBadge(false)], {} as NotebookPanel);
  view.tell([aBadge(true)]);
  Widget.attach(view, document.body);
  await screen.findByText('delay-model v1 *');

  Widget.detach(view);
  await waitFor(() => expect(screen.queryByRole('button')).toBeNull());
  Widget.attach(view, document.body);
  await screen.findByText('delay-model v1 *');
  view.dispose();
});
