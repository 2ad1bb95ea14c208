/** Source and text differences, as the editor would colour them. */
import * as React from 'react';

import { useContext } from './context';

/** Python with line numbers; `marked` lines, counted from 1, stand out. */
export function Source(props: {
  text: string;
  label: string;
  marked?: readonly number[];
  /** The line at the top at first, counted from 1. */
  from?: number;
}): JSX.Element {
  const { text, marked, from } = props;
  const { highlight } = useContext();
  const code = React.useRef<HTMLPreElement>(null);
  React.useEffect(() => {
    const host = code.current;
    if (!host) {
      return;
    }
    host.textContent = text;
    const coloured = document.createElement('span');
    void highlight(text, coloured).then(() => {
      if (code.current === host && coloured.textContent === text) {
        host.replaceChildren(coloured);
      }
    });
  }, [text, highlight]);
  const first = marked?.[0];
  const box = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    if (first !== undefined) {
      box.current?.querySelector('.slipway-Source-mark')?.scrollIntoView({ block: 'center' });
    }
  }, [first]);
  React.useEffect(() => {
    if (from && box.current) {
      const { lineHeight } = getComputedStyle(box.current);
      box.current.scrollTop = (from - 1) * parseFloat(lineHeight);
    }
  }, [from]);
  const lines = text.replace(/\n$/, '').split('\n').length;
  return (
    <div className="slipway-Source" ref={box} tabIndex={0} role="region" aria-label={props.label}>
      <span className="slipway-Source-numbers" aria-hidden="true">
        {Array.from({ length: lines }, (_, index) => index + 1).join('\n')}
      </span>
      <span className="slipway-Source-body">
        {(marked ?? []).map(line => (
          <span
            key={line}
            className="slipway-Source-mark"
            style={{ '--line': line - 1 } as React.CSSProperties}
          />
        ))}
        <pre ref={code} className="cm-s-jupyter" />
      </span>
    </div>
  );
}

/** Where a preview begins: provenance and requirements stand above it. */
export function mainLine(module: string): number {
  return module.split('\n').findIndex(line => line.startsWith('def main(')) + 1;
}

/** A unified diff; added and removed lines keep their sign. */
export function TextDiff({ text, label }: { text: string; label: string }): JSX.Element {
  return (
    <pre className="slipway-TextDiff" tabIndex={0} aria-label={label} role="region">
      {text
        .replace(/\n$/, '')
        .split('\n')
        .map((line, index) => (
          <span key={index} data-kind={kindOf(line)}>
            {`${line}\n`}
          </span>
        ))}
    </pre>
  );
}

function kindOf(line: string): string {
  if (line.startsWith('+++') || line.startsWith('---')) {
    return 'file';
  }
  return line.startsWith('+')
    ? 'added'
    : line.startsWith('-')
      ? 'removed'
      : line.startsWith('@@')
        ? 'place'
        : 'same';
}
