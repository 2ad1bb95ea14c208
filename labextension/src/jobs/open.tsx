/** Makes the job page, and tells one that is open what to show. */
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { UseSignal } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { Made, Page } from '../pages';
import { type Context, SlipwayWidget } from '../ui/context';
import { JobModel } from './model';
import { JobPage, type JobTab, type Wanted } from './page';

const TABS: readonly string[] = ['overview', 'versions', 'runs', 'settings'];

/** null when the page that is open has taken the wish. */
export function openJob(
  context: Context,
  name: string,
  args: ReadonlyPartialJSONObject,
  page: Page | undefined
): Made | null {
  const asked = args.tab !== undefined;
  const wanted: Wanted = {
    tab: (TABS.includes(String(args.tab)) ? args.tab : 'overview') as JobTab,
    running: args.tab === 'run',
    from: typeof args.from === 'string' ? args.from : null
  };
  if (page?.content instanceof JobView) {
    if (asked) {
      page.content.want(wanted);
    }
    return null;
  }
  return { view: new JobView(context, name, wanted) };
}

class JobView extends SlipwayWidget {
  constructor(context: Context, name: string, wanted: Wanted) {
    const model = new JobModel(context.api, context.overview, name);
    const wishes = new Signal<JobModel, Wanted>(model);
    super(context, () => (
      <UseSignal signal={wishes} initialArgs={wanted}>
        {(_, args) => <JobPage model={model} wanted={args ?? wanted} />}
      </UseSignal>
    ));
    this.model = model;
    this.wishes = wishes;
    model.start();
  }

  want(wanted: Wanted): void {
    this.wishes.emit(wanted);
  }

  dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  private readonly model: JobModel;
  private readonly wishes: Signal<JobModel, Wanted>;
}
