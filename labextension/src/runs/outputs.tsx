/** A run's outputs, drawn as the notebook draws them. */
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IOutput } from '@jupyterlab/nbformat';
import * as React from 'react';

import { useLumino } from '../ui/lumino';

export interface OutputsProps {
  outputs: readonly Record<string, unknown>[];
  /** Scripts run only in what the person's own runs have shown. */
  trusted: boolean;
}

export function outputsView(rendermime: IRenderMimeRegistry): (props: OutputsProps) => JSX.Element {
  return function Outputs({ outputs, trusted }: OutputsProps): JSX.Element {
    const host = useLumino(() => {
      const model = new OutputAreaModel({ values: outputs as unknown as IOutput[], trusted });
      return { widget: new SimplifiedOutputArea({ model, rendermime }), dispose: () => model.dispose() };
    }, [outputs, trusted]);
    return <div className="slipway-Outputs" ref={host} />;
  };
}
