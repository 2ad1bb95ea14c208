/** What the server says of a notebook, asked again when it says that the notebook changed. */
import * as React from 'react';

import { type ApiError, asApiError, type Changed } from '../api';
import { useContext } from '../ui/context';

/** `again` asks at once. */
export function useAsked<T>(
  path: string,
  ask: () => Promise<T>
): { found: T | null; error: ApiError | null; again: () => void } {
  const { overview } = useContext();
  const [found, setFound] = React.useState<T | null>(null);
  const [error, setError] = React.useState<ApiError | null>(null);
  const [asking, setAsking] = React.useState(0);
  React.useEffect(() => {
    let current = true;
    ask().then(
      answer => {
        if (current) {
          setFound(answer);
          setError(null);
        }
      },
      (reason: unknown) => current && setError(asApiError(reason))
    );
    return () => {
      current = false;
    };
  }, [ask, asking]);
  React.useEffect(() => {
    const onHint = (_: unknown, hint: Changed) => {
      if (hint.kind === 'notebook' && hint.id === path) {
        setAsking(count => count + 1);
      }
    };
    overview.hinted.connect(onHint);
    return () => void overview.hinted.disconnect(onHint);
  }, [overview, path]);
  return { found, error, again: () => setAsking(count => count + 1) };
}
