/** Which states of a notebook can be compared, and the choice of one. */
import * as React from 'react';

import type { NotebookHistory, References } from '../api';
import { comparing } from '../api/compare';
import { type Context, useContext } from '../ui/context';
import { relative } from '../ui/format';
import { inProduction } from './production';

/** The file on disk, as a revision. */
export const DISK = '';
/** What is open and not saved: taken from the page, never sent as a revision. */
export const OPEN = ':open';
export const HEAD = 'HEAD';
/** Chosen to type another. */
const OTHER = ':other';
/** Entries of each kind in the list. */
const MOST = 40;

export interface Group {
  label: string;
  states: { value: string; label: string }[];
}

/** What can be chosen, by kind; outside of git what is on disk and what is open. */
export async function statesOf(context: Context, path: string, open: boolean): Promise<Group[]> {
  const { api, trans } = context;
  const [history, names, production] = await Promise.all([
    comparing(api)
      .history(path)
      .catch(() => null),
    comparing(api)
      .references(path)
      .catch(() => null),
    inProduction(context, path).catch(() => null)
  ]);
  const groups: Group[] = [
    {
      label: trans.__('This notebook'),
      states: [
        { value: DISK, label: trans.__('as it is saved') },
        ...(open ? [{ value: OPEN, label: trans.__('as it is open, unsaved') }] : [])
      ]
    },
    ...(history && names ? inGit(context, history, names) : [])
  ];
  if (production) {
    const { job, state, version } = production;
    const label = trans.__('%1, version %2', job, version);
    // One value has one name: a commit is in the list once, as what it means most.
    for (const group of groups) {
      group.states = group.states.filter(({ value }) => value !== state);
    }
    groups.push({ label: trans.__('In production'), states: [{ value: state, label }] });
  }
  return groups.filter(group => group.states.length);
}

function inGit({ trans, locale }: Context, history: NotebookHistory, names: References): Group[] {
  const named = (items: readonly string[]) => items.slice(0, MOST).map(value => ({ value, label: value }));
  const when = (at: string) => relative(at, trans, locale);
  return [
    {
      label: trans.__('Colleagues'),
      states: names.colleagues.map(who => ({ value: `@${who}`, label: trans.__("%1's copy", who) }))
    },
    {
      label: trans.__('Commits'),
      states: [
        ...(history.revisions.length ? [{ value: HEAD, label: trans.__('last commit') }] : []),
        ...history.revisions
          .slice(0, MOST)
          .map(one => ({ value: one.id, label: `${one.message} · ${when(one.at)}` }))
      ]
    },
    { label: trans.__('Branches'), states: named(names.branches.filter(one => one !== names.branch)) },
    { label: trans.__('Tags'), states: named(names.tags) },
    {
      label: trans.__('Your uncommitted work'),
      states: history.snapshots
        .slice(0, MOST)
        .map(one => ({ value: one.id, label: trans.__('kept %1', when(one.at)) }))
    }
  ];
}

export function StateChoice(props: {
  label: string;
  groups: readonly Group[];
  value: string;
  /** What to call a value that is in no group. */
  title: string;
  onChange: (value: string) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { groups, label, onChange, value } = props;
  const [typing, setTyping] = React.useState(false);
  const [text, setText] = React.useState('');
  const list = React.useRef<HTMLSelectElement>(null);
  const isBack = React.useRef(false);
  React.useEffect(() => {
    if (!typing && isBack.current) {
      // The field is gone: who typed in it goes on from the list.
      isBack.current = false;
      list.current?.focus();
    }
  }, [typing]);
  const back = () => {
    isBack.current = true;
    setTyping(false);
  };
  const known = groups.some(group => group.states.some(state => state.value === value));
  if (typing) {
    return (
      <form
        className="slipway-Choice"
        onSubmit={event => {
          event.preventDefault();
          back();
          if (text.trim()) {
            onChange(text.trim());
          }
        }}
      >
        <input
          className="slipway-Input slipway-mod-auto"
          aria-label={trans.__('A commit, a branch or a tag')}
          placeholder={trans.__('commit, branch or tag')}
          value={text}
          autoFocus
          onChange={event => setText(event.target.value)}
          onBlur={() => setTyping(false)}
          onKeyDown={event => event.key === 'Escape' && back()}
        />
      </form>
    );
  }
  return (
    <select
      ref={list}
      className="slipway-Input slipway-mod-auto slipway-Choice"
      aria-label={label}
      title={label}
      value={value}
      onChange={event => (event.target.value === OTHER ? setTyping(true) : onChange(event.target.value))}
    >
      {!known && <option value={value}>{props.title || short(value)}</option>}
      {groups.map(group => (
        <optgroup key={group.label} label={group.label}>
          {group.states.map(state => (
            <option key={state.value} value={state.value}>
              {state.label}
            </option>
          ))}
        </optgroup>
      ))}
      <option value={OTHER}>{trans.__('Another commit, branch or tag…')}</option>
    </select>
  );
}

/** A full commit id as git shortens it. */
export function short(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 8) : revision;
}
