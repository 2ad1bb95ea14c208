/** Small pieces that two features share. */
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import '../../style/base.css';

import type { ApiError, LastRun, RunState } from '../api';
import { useContext } from './context';
import { absolute, duration, initials, relative } from './format';
import { stateWords } from './words';

export function IconButton(props: {
  icon: LabIcon;
  label: string;
  onClick: () => void;
  disabled?: boolean;
  pressed?: boolean;
}): JSX.Element {
  return (
    <button
      type="button"
      className="slipway-IconButton"
      aria-pressed={props.pressed}
      title={props.label}
      aria-label={props.label}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <props.icon.react tag="span" />
    </button>
  );
}

export function Button(props: {
  onClick?: () => void;
  disabled?: boolean;
  kind?: 'plain' | 'primary' | 'danger' | 'link';
  submit?: boolean;
  title?: string;
  expanded?: boolean;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <button
      type={props.submit ? 'submit' : 'button'}
      className="slipway-Button"
      data-kind={props.kind ?? 'plain'}
      disabled={props.disabled}
      title={props.title}
      aria-expanded={props.expanded}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/** A sentence in which names and commands stand between backticks. */
export function Prose({ text }: { text: string }): JSX.Element {
  // Each odd piece stood between two; a last one alone is what it is.
  const pieces = text.split(/`([^`]+)`/);
  return (
    <>
      {pieces.map((piece, index) =>
        index % 2 ? (
          <code key={index} className="slipway-Code">
            {piece}
          </code>
        ) : (
          piece
        )
      )}
    </>
  );
}

/** A labelled bar; the figure is text, so it never depends on colour alone. */
export function Meter(props: { label: string; value: number; text: string }): JSX.Element {
  const value = Math.max(0, Math.min(1, props.value));
  return (
    <span className="slipway-Meter">
      <span
        className="slipway-Meter-track"
        role="meter"
        aria-label={props.label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(value * 100)}
        aria-valuetext={props.text}
      >
        <span className="slipway-Meter-fill" style={{ width: `${value * 100}%` }} />
      </span>
      <span className="slipway-Meter-text">{props.text}</span>
    </span>
  );
}

export function State({ state }: { state: RunState }): JSX.Element {
  const { trans } = useContext();
  return (
    <span className="slipway-Pill" data-state={state}>
      {stateWords(state, trans)}
    </span>
  );
}

/** One bar for each of the last runs, oldest first; as high as it took long. */
export function Strip({ runs, count }: { runs: readonly LastRun[]; count: number }): JSX.Element | null {
  const { trans } = useContext();
  if (!runs.length) {
    return null;
  }
  const bars = runs.slice(0, count).reverse();
  const longest = Math.max(...bars.map(run => run.duration ?? 0), 0.001);
  const succeeded = bars.filter(run => run.state === 'succeeded').length;
  const label = trans.__('%1 of the last %2 runs succeeded', succeeded, bars.length);
  return (
    <svg
      className="slipway-Strip"
      role="img"
      aria-label={label}
      viewBox={`0 0 ${bars.length * 5} 14`}
      width={bars.length * 5}
      height={14}
    >
      {bars.map((run, index) => {
        const height = 4 + 10 * ((run.duration ?? 0) / longest);
        return (
          <rect
            key={run.id}
            data-state={run.state}
            x={index * 5}
            y={14 - height}
            width={4}
            height={height}
            rx={1}
          >
            <title>
              {stateWords(run.state as RunState, trans)}
              {run.duration !== null ? ` · ${duration(run.duration)}` : ''}
            </title>
          </rect>
        );
      })}
    </svg>
  );
}

/** A time in words, with the absolute time and zone on hover. */
export function Time({ iso }: { iso: string }): JSX.Element {
  const { trans, locale } = useContext();
  return (
    <time dateTime={iso} title={absolute(iso, locale)}>
      {relative(iso, trans, locale)}
    </time>
  );
}

export function Avatar({ name }: { name: string }): JSX.Element {
  return (
    <span className="slipway-Avatar" role="img" title={name} aria-label={name}>
      {initials(name)}
    </span>
  );
}

/** Nothing here yet: one sentence, and the next action. */
export function Empty(props: { children: React.ReactNode; action?: React.ReactNode }): JSX.Element {
  return (
    <div className="slipway-Empty">
      <p>{props.children}</p>
      {props.action}
    </div>
  );
}

export function Skeleton({ lines }: { lines: number }): JSX.Element {
  const { trans } = useContext();
  return (
    <div className="slipway-Skeleton" role="status" aria-busy="true" aria-label={trans.__('Loading')}>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

/** What was refused, why, and what to do next. */
export function Problem(props: { error: ApiError; retry?: () => void }): JSX.Element {
  const { trans } = useContext();
  const { error } = props;
  return (
    <div className="slipway-Banner" data-kind="error" role="alert">
      <p>
        {error.status === 0 ? trans.__('The server cannot be reached.') : <Prose text={error.message} />}
        {error.hint && (
          <span className="slipway-Dim">
            {' '}
            <Prose text={error.hint} />
          </span>
        )}
      </p>
      {props.retry && <Button onClick={props.retry}>{trans.__('Retry')}</Button>}
    </div>
  );
}

/** A figure with its name, as in a list of facts. */
export function Fact(props: { name: string; children: React.ReactNode }): JSX.Element {
  return (
    <div className="slipway-Fact">
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
