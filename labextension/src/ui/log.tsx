/** A log: its end is followed until somebody scrolls up. */
import * as React from 'react';

import { useContext } from './context';
import { Check } from './fields';
import { Button } from './parts';
import { save } from './save';
import type { Scroll } from './terminal';

export function Log(props: {
  log: Scroll;
  /** Whether more may come. */
  live: boolean;
  /** Whether the server cannot be reached just now. */
  away: boolean;
  /** What is left out of it, in words; '' for nothing. */
  omitted: string;
  /** What to say when it is empty. */
  empty: string;
  /** The name of the file that it can be saved as. */
  file: string;
}): JSX.Element {
  const { trans } = useContext();
  const { log, live, away, omitted, empty, file } = props;
  const { text, lines } = log;
  const [follow, setFollow] = React.useState(true);
  const box = React.useRef<HTMLPreElement>(null);
  React.useEffect(() => {
    if (follow && box.current) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [text, follow]);
  const onScroll = () => {
    const pre = box.current;
    if (pre && live) {
      setFollow(pre.scrollHeight - pre.scrollTop - pre.clientHeight < 24);
    }
  };
  return (
    <div className="slipway-Log">
      <div className="slipway-Log-bar">
        {live && <Check label={trans.__('Follow')} checked={follow} onChange={setFollow} />}
        <span className="slipway-Dim" role="status">
          {away ? trans.__('Reconnecting…') : trans._n('%1 line', '%1 lines', lines)}
          {omitted && ` · ${omitted}`}
        </span>
        <span className="slipway-Buttons">
          <Button disabled={!text} onClick={() => save(new Blob([text], { type: 'text/plain' }), file)}>
            {trans.__('Download')}
          </Button>
        </span>
      </div>
      <pre ref={box} role="log" aria-live="off" aria-label={trans.__('Log')} tabIndex={0} onScroll={onScroll}>
        {text || empty}
      </pre>
    </div>
  );
}
