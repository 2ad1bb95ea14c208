/** Two states of one notebook side by side, cell by cell; which two is chosen here. */
import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import '../../style/parts.css';
import '../../style/pages.css';

import { type ApiError, asApiError } from '../api';
import { comparing } from '../api/compare';
import type { Drawing } from '../pages';
import { useContext } from '../ui/context';
import { Check } from '../ui/fields';
import { Button, Empty, IconButton, Problem, Skeleton } from '../ui/parts';
import { Changes, Compared } from './changes';
import { DISK, type Group, OPEN, StateChoice, statesOf } from './choice';
import { asPublished } from './production';
import { StepButtons, useSteps } from './steps';
import { PathTitle } from './title';

export interface Pair {
  base: string;
  other: string;
}

export function NotebookComparison(props: {
  path: string;
  pair: Pair;
  /** What the older side is called when it is none that can be chosen. */
  title: string;
  /** The notebook as it is open; null when it is not. */
  opened: () => object | null;
  onPair: (pair: Pair) => void;
  drawing: Drawing;
}): JSX.Element {
  const context = useContext();
  const { api, trans } = context;
  const { path, opened, onPair } = props;
  const [pair, setPair] = React.useState(props.pair);
  const [outputs, setOutputs] = React.useState(false);
  const [hide, setHide] = React.useState(true);
  const [found, setFound] = React.useState<Compared | null>(null);
  const [error, setError] = React.useState<ApiError | null>(null);
  const [groups, setGroups] = React.useState<Group[]>([]);
  const [asking, setAsking] = React.useState(0);
  const again = () => setAsking(asking + 1);

  React.useEffect(() => {
    let current = true;
    void statesOf(context, path, opened() !== null).then(known => current && setGroups(known));
    return () => {
      current = false;
    };
  }, [context, path, opened, asking]);

  React.useEffect(() => {
    let current = true;
    const contents: Record<string, unknown> = {};
    const revision = async (side: keyof Pair) => {
      const chosen = pair[side];
      const made = chosen === OPEN ? opened() : await asPublished(api, path, chosen);
      if (made) {
        contents[side] = made;
      }
      return made || chosen === OPEN ? DISK : chosen;
    };
    Promise.all([revision('base'), revision('other')])
      .then(([base, other]) =>
        comparing(api).diff({ path, base, other, outputs, contents: contents as never })
      )
      .then(({ base, diff }) => new Compared(base, diff))
      .then(
        compared => {
          if (current) {
            setFound(compared);
            setError(null);
          }
        },
        (reason: unknown) => {
          if (current) {
            setFound(null);
            setError(asApiError(reason));
          }
        }
      );
    return () => {
      current = false;
    };
  }, [api, path, opened, pair, outputs, asking]);

  const choose = (side: keyof Pair) => (value: string) => {
    const chosen = { ...pair, [side]: value };
    setPair(chosen);
    setFound(null);
    setError(null);
    onPair(chosen);
  };
  const { page, step } = useSteps();
  const addOutputs = () => {
    setOutputs(true);
    // The button goes: its box says the same from here on.
    page.current?.querySelector<HTMLElement>('.slipway-Check:last-child > input')?.focus();
  };
  return (
    <div className="slipway-Page slipway-mod-wide" ref={page}>
      <div className="slipway-Head slipway-mod-sticky">
        <div className="slipway-Head-title">
          <PathTitle path={path} />
          <div className="slipway-Buttons">
            <span className="slipway-Dim" role="status">
              {found && !found.same && <Summary found={found} />}
            </span>
            <StepButtons step={step} disabled={!found || found.same} />
            <IconButton icon={refreshIcon} label={trans.__('Compare again')} onClick={again} />
          </div>
        </div>
        <div className="slipway-Head-title">
          <StateChoice
            label={trans.__('Before')}
            groups={groups}
            value={pair.base}
            title={pair.base === props.pair.base ? props.title : ''}
            onChange={choose('base')}
          />
          <span aria-hidden="true">→</span>
          <StateChoice
            label={trans.__('After')}
            groups={groups}
            value={pair.other}
            title=""
            onChange={choose('other')}
          />
          <Check label={trans.__('Hide unchanged cells')} checked={hide} onChange={setHide} />
          <Check label={trans.__('Show outputs')} checked={outputs} onChange={setOutputs} />
        </div>
      </div>
      {error && <Problem error={error} retry={again} />}
      {!found && !error && <Skeleton lines={8} />}
      {found &&
        (found.same ? (
          <Empty
            action={!outputs && <Button onClick={addOutputs}>{trans.__('Compare the outputs, too')}</Button>}
          >
            {outputs ? trans.__('The two are the same.') : trans.__('The cells are the same.')}
          </Empty>
        ) : (
          <Changes key={asking} compared={found} drawing={props.drawing} hide={hide} />
        ))}
    </div>
  );
}

function Summary({ found }: { found: Compared }): JSX.Element {
  const { trans } = useContext();
  const { changed, added, removed } = found.counts;
  const parts = [
    changed && trans._n('%1 cell changed', '%1 cells changed', changed),
    added && trans.__('%1 added', added),
    removed && trans.__('%1 removed', removed)
  ].filter(Boolean);
  return <>{parts.join(', ') || trans.__('no cell changed')}</>;
}
