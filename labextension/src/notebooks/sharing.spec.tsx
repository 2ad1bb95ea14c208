import { Widget } from '@lumino/widgets';
import { screen } from '@testing-library/react';
import * as React from 'react';
import { afterEach, expect, it } from 'vitest';

import type { RadarView } from '../api';
import { aContext, anApi } from '../testing/fake';
import { SlipwayWidget } from '../ui/context';
import { Sharing } from './sharing';

afterEach(() => document.body.replaceChildren());

function show(change: Partial<RadarView>): void {
  const view: RadarView = { sharing: 'off', remote: '', remotes: [], seen: [], problem: '', outside: '' };
  const compare = { radar: () => Promise.resolve({ ...view, ...change }) };
  const context = aContext({ ...anApi({}), compare } as never);
  Widget.attach(new SlipwayWidget(context, () => <Sharing path="a.py" />), document.body);
}

it('says outside of git why nothing can be shared, and offers no choice', async () => {
  show({ outside: "a.py is in no git repository. Make one with 'git init'." });

  await screen.findByText("a.py is in no git repository. Make one with 'git init'.");
  expect(screen.queryByRole('combobox')).toBeNull();
});

it('offers in git what can be shared', async () => {
  show({});

  await screen.findByRole('combobox', { name: 'Share my uncommitted work' });
});
