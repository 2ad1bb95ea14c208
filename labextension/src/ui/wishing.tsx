/** A view that can be asked for something else while it is open. */
import { UseSignal } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { type Context, SlipwayWidget } from './context';

export class WishingView<T> extends SlipwayWidget {
  /**
   * @param view draws a wish; drawn anew, with nothing of the one before, when there is another
   */
  constructor(context: Context, view: (wish: T) => JSX.Element, first: T) {
    const wishes = new Signal<object, { wish: T; count: number }>({});
    super(context, () => (
      <UseSignal signal={wishes} initialArgs={{ wish: first, count: 0 }}>
        {(_, args) => <React.Fragment key={args!.count}>{view(args!.wish)}</React.Fragment>}
      </UseSignal>
    ));
    this.wishes = wishes;
  }

  want(wish: T): void {
    this.wishes.emit({ wish, count: ++this.count });
  }

  private count = 0;
  private readonly wishes: Signal<object, { wish: T; count: number }>;
}
