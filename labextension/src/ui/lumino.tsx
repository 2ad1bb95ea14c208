/** A Lumino widget inside a React view. */
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

/**
 * Shows what `make` gives while the dependencies stay the same.
 *
 * `Widget.detach` refuses a node that React has taken out of the page already, so the messages are sent here.
 */
export function useLumino<T extends Widget>(
  make: () => { widget: T; dispose?: () => void },
  dependencies: React.DependencyList
): React.RefObject<HTMLDivElement> {
  const host = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    const { widget, dispose } = make();
    MessageLoop.sendMessage(widget, Widget.Msg.BeforeAttach);
    host.current?.appendChild(widget.node);
    MessageLoop.sendMessage(widget, Widget.Msg.AfterAttach);
    return () => {
      MessageLoop.sendMessage(widget, Widget.Msg.BeforeDetach);
      widget.node.remove();
      MessageLoop.sendMessage(widget, Widget.Msg.AfterDetach);
      widget.dispose();
      dispose?.();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller names them
  }, dependencies);
  return host;
}
