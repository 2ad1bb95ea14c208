/** The dialog that says how many workers a cluster is to have. */
import { Dialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { type ApiError, asApiError, type Cluster, type Workers } from '../api';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { Problem } from '../ui/parts';
import '../../style/parts.css';
import '../../style/clusters.css';
import { hourly } from './words';

/** Stays open until `scale` has gone through, so that a refusal can be mended. */
export class ScaleDialog extends Dialog<unknown> {
  constructor(
    context: Context,
    cluster: Cluster,
    private readonly scale: (workers: Workers) => Promise<unknown>
  ) {
    const { trans } = context;
    const changed = new Signal<unknown, void>({});
    super({
      title: trans.__('Scale %1', cluster.name),
      body: new SlipwayWidget(context, () => (
        <UseSignal signal={changed}>
          {() => (
            <ScaleFields
              cluster={cluster}
              workers={this.workers}
              refusal={this.refusal}
              onChange={workers => this.set(workers)}
            />
          )}
        </UseSignal>
      )),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.okButton({ label: trans.__('Scale') })
      ],
      focusNodeSelector: 'input'
    });
    this.workers = cluster.workers;
    this.changed = changed;
    this.node.setAttribute('aria-label', trans.__('Scale %1', cluster.name));
  }

  resolve(index = 1): void {
    if (index === 0) {
      super.resolve(0);
    } else if (isSound(this.workers)) {
      void this.ask(index);
    }
  }

  private async ask(index: number): Promise<void> {
    try {
      await this.scale(this.workers);
      super.resolve(index);
    } catch (error) {
      this.refusal = asApiError(error);
      this.changed.emit();
    }
  }

  private set(workers: Workers): void {
    this.workers = workers;
    this.refusal = null;
    this.changed.emit();
    for (const button of this.node.querySelectorAll<HTMLButtonElement>('.jp-mod-accept')) {
      button.disabled = !isSound(workers);
    }
  }

  private workers: Workers;
  private refusal: ApiError | null = null;
  private readonly changed: Signal<unknown, void>;
}

function isSound({ minimum, maximum }: Workers): boolean {
  return Number.isInteger(minimum) && Number.isInteger(maximum) && minimum >= 0 && minimum <= maximum;
}

function ScaleFields(props: {
  cluster: Cluster;
  workers: Workers;
  refusal: ApiError | null;
  onChange: (workers: Workers) => void;
}): JSX.Element {
  const { trans, locale } = useContext();
  const { cluster, workers, refusal, onChange } = props;
  const { minimum, maximum } = workers;
  const cost = hourly(cluster.price, cluster.currency, workers, trans, locale);
  return (
    <div className="slipway-Scale">
      {refusal && <Problem error={refusal} />}
      <div className="slipway-Fields">
        <Field label={trans.__('At least')} problem={minimum < 0 ? trans.__('This is less than 0.') : null}>
          {attributes => (
            <input
              {...attributes}
              type="number"
              min={0}
              step={1}
              value={minimum}
              onChange={event => onChange({ ...workers, minimum: event.target.valueAsNumber || 0 })}
            />
          )}
        </Field>
        <Field
          label={trans.__('At most')}
          problem={maximum < minimum ? trans.__('This is less than the other figure.') : null}
        >
          {attributes => (
            <input
              {...attributes}
              type="number"
              min={0}
              step={1}
              value={maximum}
              onChange={event => onChange({ ...workers, maximum: event.target.valueAsNumber || 0 })}
            />
          )}
        </Field>
      </div>
      <p className="slipway-Dim" role="status">
        {minimum === maximum
          ? trans._n('Always %1 worker.', 'Always %1 workers.', maximum)
          : trans.__('Between the two, as the work asks.')}
        {cost && ` ${cost}`}
      </p>
    </div>
  );
}
