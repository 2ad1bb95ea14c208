/** From one change to the next, by keys and by buttons. */
import { caretDownEmptyThinIcon, caretUpEmptyThinIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useContext } from '../ui/context';
import { IconButton } from '../ui/parts';

type Step = (by: 1 | -1) => void;

/** What a page needs whose changes are `.slipway-Change` with an `h3`. */
export function useSteps(): {
  page: React.RefObject<HTMLDivElement>;
  step: Step;
} {
  const page = React.useRef<HTMLDivElement>(null);
  const step: Step = by => page.current && goToChange(page.current, by);
  React.useEffect(() => {
    // Around the page: there the focus is when its tab is chosen.
    const view = page.current?.closest<HTMLElement>('.jp-MainAreaWidget');
    const onKeyDown = (event: KeyboardEvent) => {
      if ((event.key === 'n' || event.key === 'p') && !isTyping(event) && page.current) {
        event.preventDefault();
        goToChange(page.current, event.key === 'n' ? 1 : -1);
      }
    };
    view?.addEventListener('keydown', onKeyDown);
    return () => view?.removeEventListener('keydown', onKeyDown);
  }, []);
  return { page, step };
}

export function StepButtons(props: { step: Step; disabled: boolean }): JSX.Element {
  const { trans } = useContext();
  const { step, disabled } = props;
  return (
    <>
      <IconButton
        icon={caretUpEmptyThinIcon}
        label={trans.__('Previous change (p)')}
        disabled={disabled}
        onClick={() => step(-1)}
      />
      <IconButton
        icon={caretDownEmptyThinIcon}
        label={trans.__('Next change (n)')}
        disabled={disabled}
        onClick={() => step(1)}
      />
    </>
  );
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement;
  return (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    ['SELECT', 'TEXTAREA'].includes(target.tagName) ||
    (target instanceof HTMLInputElement && target.type !== 'checkbox') ||
    target.isContentEditable
  );
}

/** Brings the next changed cell below, or above, what is read to the top, and puts the focus there. */
function goToChange(page: HTMLElement, by: 1 | -1): void {
  const headings = [...page.querySelectorAll<HTMLElement>('.slipway-Change:not([data-kind="same"]) > h3')];
  const top = (page.querySelector('.slipway-Head')?.getBoundingClientRect().bottom ?? 0) + 20;
  const at = headings.indexOf(document.activeElement as HTMLElement);
  const tops = headings.map(heading => heading.getBoundingClientRect().top);
  const next =
    at >= 0
      ? at + by
      : by === 1
        ? tops.findIndex(one => one > top)
        : tops.filter(one => one < top - 21).length - 1;
  const heading = headings[Math.max(0, Math.min(headings.length - 1, next < 0 ? 0 : next))];
  heading?.scrollIntoView({ block: 'start' });
  heading?.focus({ preventScroll: true });
}
