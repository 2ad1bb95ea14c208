/** What every view needs from the application, handed down once. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Api } from '../api';
import type { Overview } from '../panel/model';

export interface Context {
  api: Api;
  overview: Overview;
  commands: CommandRegistry;
  trans: TranslationBundle;
  /** Of dates and figures, such as `en-GB`. */
  locale: string;
  /** Colours Python as the editor does, into `host`. */
  highlight: (python: string, host: HTMLElement) => Promise<void>;
}

const Handed = React.createContext<Context | null>(null);

export function useContext(): Context {
  const context = React.useContext(Handed);
  if (!context) {
    throw new Error('A view is drawn outside a SlipwayWidget.');
  }
  return context;
}

/** A Lumino widget around one view. */
export class SlipwayWidget extends ReactWidget {
  constructor(
    private readonly context: Context,
    private readonly view: () => JSX.Element
  ) {
    super();
    this.addClass('slipway-View');
  }

  protected render(): JSX.Element {
    const View = this.view;
    return (
      <Handed.Provider value={this.context}>
        <View />
      </Handed.Provider>
    );
  }
}
