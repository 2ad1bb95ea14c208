/** Makes the run page. */
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { Drawing, Made, Page } from '../pages';
import { type Context, SlipwayWidget } from '../ui/context';
import { RunModel } from './model';
import { outputsView } from './outputs';
import { RunPage, type RunTab } from './page';

const TABS: readonly string[] = ['log', 'outputs', 'artifacts', 'code', 'environment'];

export function openRun(
  context: Context,
  id: string,
  args: ReadonlyPartialJSONObject,
  drawing: Drawing
): Made {
  const model = new RunModel(context.api, context.overview, id);
  const view = new RunView(context, model, {
    tab: (TABS.includes(String(args.tab)) ? args.tab : 'log') as RunTab,
    Outputs: outputsView(drawing.rendermime)
  });
  return { view, titled: page => titled(page, model, context) };
}

class RunView extends SlipwayWidget {
  constructor(
    context: Context,
    private readonly model: RunModel,
    props: Omit<React.ComponentProps<typeof RunPage>, 'model'>
  ) {
    super(context, () => <RunPage {...props} model={model} />);
    model.start();
  }

  dispose(): void {
    this.model.dispose();
    super.dispose();
  }
}

/** The tab says which job runs, once that is known. */
function titled(page: Page, model: RunModel, { trans }: Context): void {
  model.changed.connect(() => {
    if (model.run) {
      page.title.label = trans.__('Run: %1', model.run.job);
      page.title.caption = model.run.id;
    }
  }, page);
}
