/** Tabs as the ARIA pattern asks: one stop for the Tab key, arrows between them. */
import * as React from 'react';

import { useId } from './fields';

export interface Tab<T extends string> {
  id: T;
  label: string;
  view: () => React.ReactNode;
}

export function Tabs<T extends string>(props: {
  label: string;
  tabs: readonly Tab<T>[];
  current: T;
  onChange: (tab: T) => void;
}): JSX.Element {
  const { tabs, current, onChange } = props;
  const base = useId();
  const list = React.useRef<HTMLDivElement>(null);
  const at = Math.max(
    0,
    tabs.findIndex(tab => tab.id === current)
  );
  const go = (index: number) => {
    const next = (index + tabs.length) % tabs.length;
    onChange(tabs[next].id);
    (list.current?.children[next] as HTMLElement | undefined)?.focus();
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const to: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: tabs.length - 1
    };
    if (event.key in to) {
      event.preventDefault();
      go(to[event.key]);
    }
  };
  return (
    <>
      <div className="slipway-Tabs" role="tablist" aria-label={props.label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map((tab, index) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${base}-${tab.id}`}
            aria-controls={`${base}-panel`}
            aria-selected={index === at}
            tabIndex={index === at ? 0 : -1}
            onClick={() => onChange(tab.id)}
          >
            {tab.label}
          </button>
        ))}
      </div>
      <div
        className="slipway-TabPanel"
        role="tabpanel"
        id={`${base}-panel`}
        aria-labelledby={`${base}-${tabs[at].id}`}
        data-tab={tabs[at].id}
      >
        {tabs[at].view()}
      </div>
    </>
  );
}
