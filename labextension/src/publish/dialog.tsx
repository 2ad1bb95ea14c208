/** The publish dialog: on the left what the person says, on the right what will run. */
import { Dialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { PlanRequest, Published } from '../api';
import { ScheduleFields } from '../jobs/scheduleField';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Check, Field } from '../ui/fields';
import { Problem } from '../ui/parts';
import '../../style/parts.css';
import '../../style/publish.css';
import { PublishModel } from './model';
import { Outcome } from './outcome';
import { OWN_KEYS, Parameters } from './parameterRows';

/** Asks how the cell is to be published, and publishes it; null when the person thinks better of it. */
export async function askPublish(context: Context, request: PlanRequest): Promise<Published | null> {
  const model = new PublishModel(context.api, request, context.trans);
  const dialog = new PublishDialog(context, model);
  void model.start();
  try {
    await dialog.launch();
    return dialog.published;
  } finally {
    model.dispose();
  }
}

/** Stays open until the server has registered the version, so that a refusal can be mended. */
class PublishDialog extends Dialog<unknown> {
  constructor(
    context: Context,
    private readonly model: PublishModel
  ) {
    const { trans } = context;
    super({
      title: trans.__('Publish cell as job'),
      body: new SlipwayWidget(context, () => <Body model={model} />),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.createButton({
          label: trans.__('Publish and run'),
          accept: false,
          className: 'slipway-mod-run'
        }),
        Dialog.okButton({ label: trans.__('Publish') })
      ],
      defaultButton: 2,
      focusNodeSelector: '.slipway-Publish input'
    });
    this.addClass('slipway-PublishDialog');
    this.node.setAttribute('aria-label', trans.__('Publish cell as job'));
    model.changed.connect(this.enable, this);
    this.enable();
  }

  published: Published | null = null;

  resolve(index = 2): void {
    if (index === 0) {
      super.resolve(0);
    } else if (this.model.sound && !this.model.publishing) {
      void this.publish(index);
    }
  }

  /** Enter publishes and Escape closes, but where a smaller thing is being asked. */
  protected _evtKeydown(event: KeyboardEvent): void {
    const own = event.target instanceof Element && event.target.closest(`.${OWN_KEYS}`) !== null;
    if (!own || event.key === 'Tab') {
      super._evtKeydown(event);
    }
  }

  private async publish(index: number): Promise<void> {
    this.published = await this.model.publish(index === 1);
    if (this.published) {
      super.resolve(index);
    }
  }

  private enable(): void {
    const ready = this.model.sound && !this.model.publishing;
    for (const button of this.node.querySelectorAll<HTMLButtonElement>('.jp-mod-accept, .slipway-mod-run')) {
      button.disabled = !ready;
    }
  }
}

function Body({ model }: { model: PublishModel }): JSX.Element {
  return (
    <UseSignal signal={model.changed}>
      {() => (
        <div className="slipway-Publish">
          {model.refusal && <Problem error={model.refusal} />}
          <div className="slipway-Publish-columns">
            <Wishes model={model} />
            <Outcome model={model} />
          </div>
        </div>
      )}
    </UseSignal>
  );
}

function Wishes({ model }: { model: PublishModel }): JSX.Element {
  const { trans, overview } = useContext();
  const field = React.useRef<HTMLInputElement>(null);
  const suggested = model.plan !== null && !model.named;
  React.useEffect(() => {
    // The suggestion comes when the person may be about to type: what is typed then replaces it.
    if (suggested && document.activeElement === field.current) {
      field.current?.select();
    }
  }, [suggested]);
  const known = overview.jobs?.find(job => job.name === model.name.trim());
  return (
    <div className="slipway-Publish-left">
      <Field
        label={trans.__('Job name')}
        required
        hint={
          known
            ? trans.__('Becomes version %1 of this job, if anything has changed.', known.latest + 1)
            : trans.__('A new job.')
        }
        problem={model.plan && !model.name.trim() ? trans.__('A job needs a name.') : null}
      >
        {attributes => (
          <input
            {...attributes}
            ref={field}
            dir="ltr"
            spellCheck={false}
            autoComplete="off"
            value={model.name}
            onChange={event => model.setName(event.target.value)}
          />
        )}
      </Field>
      <Field label={trans.__('Description')}>
        {attributes => (
          <input
            {...attributes}
            value={model.description}
            placeholder={trans.__('What it is for')}
            onChange={event => model.setText('description', event.target.value)}
          />
        )}
      </Field>
      <Parameters model={model} />
      <section className="slipway-Publish-schedule">
        <Check
          label={trans.__('Run by schedule')}
          checked={model.schedule.on}
          onChange={on => model.schedule.set({ on })}
        />
        {model.schedule.on && <ScheduleFields draft={model.schedule} />}
      </section>
      <Field label={trans.__('Note')}>
        {attributes => (
          <textarea
            {...attributes}
            rows={2}
            value={model.note}
            placeholder={trans.__('What is new in this version')}
            onChange={event => model.setText('note', event.target.value)}
          />
        )}
      </Field>
    </div>
  );
}
