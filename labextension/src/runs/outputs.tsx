/** A run's outputs, drawn as the notebook draws them. */
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IOutput } from '@jupyterlab/nbformat';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

export interface OutputsProps {
  outputs: readonly Record<string, unknown>[];
  /** Scripts run only in what the person's own runs have shown. */
  trusted: boolean;
}

export function outputsView(rendermime: IRenderMimeRegistry): (props: OutputsProps) => JSX.Element {
  return function Outputs({ outputs, trusted }: OutputsProps): JSX.Element {
    const host = React.useRef<HTMLDivElement>(null);
    React.useEffect(() => {
      const model = new OutputAreaModel({ values: outputs as unknown as IOutput[], trusted });
      const area = new SimplifiedOutputArea({ model, rendermime });
      Widget.attach(area, host.current!);
      return () => {
        // React has taken the host out of the page already when the whole view goes.
        if (area.node.isConnected) {
          Widget.detach(area);
        }
        area.dispose();
        model.dispose();
      };
    }, [outputs, trusted]);
    return <div className="slipway-Outputs" ref={host} />;
  };
}
