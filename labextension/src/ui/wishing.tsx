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
    // Kept here, not in what is drawn: that begins anew when its page is moved.
    const wanted = { wish: first, count: 0 };
    const wishes = new Signal<object, void>(wanted);
    super(context, () => (
      <UseSignal signal={wishes}>
        {() => <React.Fragment key={wanted.count}>{view(wanted.wish)}</React.Fragment>}
      </UseSignal>
    ));
    this.wanted = wanted;
    this.wishes = wishes;
  }

  want(wish: T): void {
    this.wanted.wish = wish;
    this.wanted.count += 1;
    this.wishes.emit();
  }

  private readonly wanted: { wish: T; count: number };
  private readonly wishes: Signal<object, void>;
}
