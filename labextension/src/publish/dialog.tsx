/** The publish dialog: on the left what the person says, on the right what will run. */
import { Dialog } from '@jupyterlab/apputils';
import { UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ApiError, CellPlan, ParameterType, PlanRequest, Published, Warn } from '../api';
import { Environment } from '../jobs/facts';
import { ScheduleFields } from '../jobs/scheduleField';
import { mainLine, Source } from '../ui/code';
import { type Context, SlipwayWidget, useContext } from '../ui/context';
import { Check, Field, useId } from '../ui/fields';
import { duration, percent } from '../ui/format';
import { Button, Meter, Problem, Prose, Skeleton } from '../ui/parts';
import { PARAMETER_TYPES, parsed } from '../ui/values';
import { cellWords, typeWords, verdictWords } from '../ui/words';
import '../../style/parts.css';
import '../../style/publish.css';
import { PublishModel } from './model';
import { type ParameterRow, rowProblem } from './parameters';

/** Fields that mind Enter and Escape themselves. */
const OWN_KEYS = 'slipway-mod-ownKeys';

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

function Parameters({ model }: { model: PublishModel }): JSX.Element | null {
  const { trans } = useContext();
  const rows = model.parameters;
  if (!model.plan && model.problem) {
    return null;
  }
  return (
    <section>
      <h2>{trans.__('Parameters')}</h2>
      {!model.plan && <Skeleton lines={2} />}
      {model.plan && !rows.length && (
        <p className="slipway-Dim">
          {trans.__('The cell depends on no constant that could be a parameter.')}
        </p>
      )}
      {rows.length > 0 && (
        <table className="slipway-Parameters">
          <thead>
            <tr>
              <th scope="col">{trans.__('Use')}</th>
              <th scope="col">{trans.__('Name')}</th>
              <th scope="col">{trans.__('Type')}</th>
              <th scope="col">{trans.__('Default')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <ParameterLine key={row.found.name} row={row} model={model} />
            ))}
          </tbody>
        </table>
      )}
      {model.plan && <AddParameter model={model} />}
    </section>
  );
}

/** Any variable that a needed cell assigns can be a parameter: the server says when one cannot. */
function AddParameter({ model }: { model: PublishModel }): JSX.Element {
  const { trans } = useContext();
  const [open, setOpen] = React.useState(false);
  const [name, setName] = React.useState('');
  const [type, setType] = React.useState<ParameterType>('int');
  const [text, setText] = React.useState('');
  const [refused, setRefused] = React.useState<ApiError | null>(null);
  const [asking, setAsking] = React.useState(false);
  const button = React.useRef<HTMLDivElement>(null);
  const names = useId();
  const value = parsed(text, { type }, trans);
  const known = model.parameters.some(row => row.name === name || row.found.name === name);
  const typed = (change: () => void) => {
    change();
    setRefused(null);
  };
  const close = () => {
    setOpen(false);
    setName('');
    setText('');
    setRefused(null);
    // Where the person was before the fields came.
    setTimeout(() => button.current?.querySelector('button')?.focus());
  };
  const ready = name !== '' && !known && value.ok && !asking;
  const add = async () => {
    if (ready) {
      setAsking(true);
      const refusal = await model.addParameter(name, type, text);
      setAsking(false);
      if (refusal) {
        setRefused(refusal);
      } else {
        close();
      }
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      close();
    } else if (event.key === 'Enter' && !(event.target instanceof HTMLButtonElement)) {
      event.preventDefault();
      void add();
    }
  };
  return (
    <div className="slipway-AddParameter" ref={button}>
      {!open ? (
        <Button onClick={() => setOpen(true)}>{trans.__('Add a parameter')}</Button>
      ) : (
        <div
          role="group"
          className={OWN_KEYS}
          aria-label={trans.__('A further parameter')}
          onKeyDown={onKeyDown}
        >
          <div className="slipway-AddParameter-fields">
            <Field
              label={trans.__('Variable')}
              problem={known ? trans.__('‘%1’ is in the list above.', name) : refused?.text}
            >
              {attributes => (
                <input
                  {...attributes}
                  autoFocus
                  dir="ltr"
                  autoComplete="off"
                  spellCheck={false}
                  list={names}
                  value={name}
                  onChange={event => typed(() => setName(event.target.value.trim()))}
                />
              )}
            </Field>
            <datalist id={names}>
              {assigned(model).map(one => (
                <option key={one} value={one} />
              ))}
            </datalist>
            <Field label={trans.__('Type')}>
              {attributes => (
                <select
                  {...attributes}
                  value={type}
                  onChange={event => typed(() => setType(event.target.value as ParameterType))}
                >
                  {PARAMETER_TYPES.map(one => (
                    <option key={one} value={one}>
                      {typeWords(one, trans)}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field label={trans.__('Default')} problem={text && !value.ok ? value.problem : null}>
              {attributes => (
                <input
                  {...attributes}
                  spellCheck={false}
                  value={text}
                  onChange={event => typed(() => setText(event.target.value))}
                />
              )}
            </Field>
          </div>
          <div className="slipway-Buttons">
            <Button onClick={close}>{trans.__('Not now')}</Button>
            <Button disabled={!ready} onClick={() => void add()}>
              {trans.__('Add')}
            </Button>
          </div>
        </div>
      )}
    </div>
  );
}

/** The variables that the needed cells assign by a plain line, and that are no parameters yet. */
function assigned(model: PublishModel): string[] {
  const kept = (model.plan?.cells ?? []).filter(cell => cell.kept);
  const found = kept.flatMap(cell => [...cell.source.matchAll(/^(\w+)\s*=(?!=)/gm)].map(match => match[1]));
  const known = new Set(model.parameters.map(row => row.found.name));
  return [...new Set(found)].filter(name => !known.has(name));
}

function ParameterLine({ row, model }: { row: ParameterRow; model: PublishModel }): JSX.Element {
  const { trans } = useContext();
  const set = (change: Partial<ParameterRow>) => model.setParameter(row.found.name, change);
  const problem = rowProblem(row, model.parameters, trans);
  const told = `slipway-parameter-${row.found.name}`;
  const common = {
    className: 'slipway-Input',
    disabled: !row.on,
    'aria-invalid': problem ? (true as const) : undefined,
    'aria-describedby': problem ? told : undefined
  };
  return (
    <>
      <tr data-off={!row.on}>
        <td>
          <input
            type="checkbox"
            checked={row.on}
            aria-label={trans.__('Use %1 as a parameter', row.found.name)}
            title={row.found.reason || undefined}
            onChange={event => set({ on: event.target.checked })}
          />
        </td>
        <td>
          <input
            {...common}
            dir="ltr"
            spellCheck={false}
            value={row.name}
            aria-label={trans.__('Name of parameter %1', row.found.name)}
            onChange={event => set({ name: event.target.value })}
          />
        </td>
        <td>
          <select
            {...common}
            value={row.type}
            aria-label={trans.__('Type of %1', row.name)}
            onChange={event => set({ type: event.target.value as ParameterType })}
          >
            {PARAMETER_TYPES.map(type => (
              <option key={type} value={type}>
                {typeWords(type, trans)}
              </option>
            ))}
          </select>
        </td>
        <td>
          <Default row={row} common={common} set={set} />
        </td>
      </tr>
      {(row.on || problem) && (
        <tr className="slipway-Parameters-second">
          <td />
          <td colSpan={3}>
            <input
              className="slipway-Input slipway-mod-quiet"
              value={row.description}
              placeholder={trans.__('Describe %1', row.name)}
              aria-label={trans.__('Description of %1', row.name)}
              onChange={event => set({ description: event.target.value })}
            />
            {problem && (
              <small id={told} className="slipway-Field-problem" role="alert">
                {problem}
              </small>
            )}
          </td>
        </tr>
      )}
    </>
  );
}

function Default(props: {
  row: ParameterRow;
  common: React.InputHTMLAttributes<HTMLInputElement> & React.SelectHTMLAttributes<HTMLSelectElement>;
  set: (change: Partial<ParameterRow>) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { row, common, set } = props;
  const label = trans.__('Default of %1', row.name);
  const choices = row.type === row.found.type ? row.found.choices : [];
  if (choices.length) {
    return (
      <select
        {...common}
        value={row.text}
        aria-label={label}
        onChange={event => set({ text: event.target.value })}
      >
        {choices.map(choice => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  if (row.type === 'bool') {
    return (
      <select
        {...common}
        value={row.text}
        aria-label={label}
        onChange={event => set({ text: event.target.value })}
      >
        {row.text !== 'true' && row.text !== 'false' && <option value={row.text}>{row.text}</option>}
        <option value="true">{trans.__('yes')}</option>
        <option value="false">{trans.__('no')}</option>
      </select>
    );
  }
  return (
    <input
      {...common}
      dir="auto"
      spellCheck={false}
      value={row.text}
      aria-label={label}
      type={row.type === 'date' && /^\d{4}-\d\d-\d\d$/.test(row.text) ? 'date' : 'text'}
      onChange={event => set({ text: event.target.value })}
    />
  );
}

function Outcome({ model }: { model: PublishModel }): JSX.Element {
  const { trans } = useContext();
  const { plan, problem } = model;
  if (!plan) {
    return (
      <div className="slipway-Publish-right">
        <h2>{trans.__('What will run')}</h2>
        {problem ? <Problem error={problem} /> : <Skeleton lines={6} />}
      </div>
    );
  }
  const kept = plan.cells.filter(cell => cell.kept).length;
  return (
    <div className="slipway-Publish-right">
      <h2>
        {trans.__('What will run')}
        <span className="slipway-Dim"> {trans.__('from %1 of %2 cells', kept, plan.cells.length)}</span>
      </h2>
      {problem && <Problem error={problem} />}
      <Source
        text={plan.module}
        label={trans.__('The Python file that will run')}
        from={mainLine(plan.module)}
      />
      <ProofLine model={model} />
      <Warnings warnings={plan.warnings} />
      <Cells cells={plan.cells} />
      <Environment environment={plan.environment} />
    </div>
  );
}

function Cells({ cells }: { cells: readonly CellPlan[] }): JSX.Element {
  const { trans } = useContext();
  const list = (some: readonly CellPlan[]) => (
    <ul className="slipway-Cells">
      {some.map(cell => (
        <li key={`${cell.index}-${cell.id}`}>
          <span className="slipway-Dim">{cell.index < 0 ? trans.__('gone') : cellWords(cell.index)}</span>
          <code title={cell.source}>{firstLine(cell.source)}</code>
          <span>
            <Prose text={cell.reason} />
          </span>
        </li>
      ))}
    </ul>
  );
  const kept = cells.filter(cell => cell.kept);
  const dropped = cells.filter(cell => !cell.kept);
  return (
    <>
      <details>
        <summary>{trans._n('%1 cell is needed', '%1 cells are needed', kept.length)}</summary>
        {list(kept)}
      </details>
      {dropped.length > 0 && (
        <details>
          <summary>{trans._n('%1 cell is left out', '%1 cells are left out', dropped.length)}</summary>
          {list(dropped)}
        </details>
      )}
    </>
  );
}

function firstLine(source: string): string {
  return source.trim().split('\n', 1)[0];
}

function Warnings({ warnings }: { warnings: readonly Warn[] }): JSX.Element | null {
  const { trans } = useContext();
  if (!warnings.length) {
    return null;
  }
  return (
    <ul className="slipway-Warnings" aria-label={trans.__('Warnings')}>
      {warnings.map((warning, index) => (
        <li key={index}>
          <Prose text={warning.message} />
        </li>
      ))}
    </ul>
  );
}

function ProofLine({ model }: { model: PublishModel }): JSX.Element {
  const { trans, locale } = useContext();
  const { proof, proofProblem } = model;
  if (proofProblem && !model.problem) {
    return <Problem error={proofProblem} retry={() => void model.prove()} />;
  }
  if (!proof || (proof.done && !model.proofCurrent)) {
    return (
      <p className="slipway-Proof" role="status">
        <span className="slipway-Dim">{trans.__('Not proved.')}</span>
        <Button disabled={!model.filled} onClick={() => void model.prove()}>
          {trans.__('Prove')}
        </Button>
      </p>
    );
  }
  if (!proof.done) {
    return (
      <div className="slipway-Proof" role="status">
        <span>{trans.__('Proving: %1', proof.step)}</span>
        <Meter label={trans.__('Proof')} value={proof.fraction} text={percent(proof.fraction, locale)} />
        <Button onClick={() => void model.cancelProof()}>{trans.__('Cancel proof')}</Button>
      </div>
    );
  }
  const verdict = proof.plan?.proof;
  if (!verdict) {
    return (
      <p className="slipway-Proof" role="status">
        {proof.step}
        <Button onClick={() => void model.prove()}>{trans.__('Prove again')}</Button>
      </p>
    );
  }
  return (
    <div className="slipway-Proof" data-verdict={verdict.verdict} role="status">
      <p>
        <strong>{verdictWords(verdict, trans)}</strong>
        {`, ${duration(verdict.seconds)}`}
        {verdict.reason && (
          <span className="slipway-Dim">
            {' '}
            <Prose text={verdict.reason} />
          </span>
        )}
      </p>
      {verdict.differences.length > 0 && (
        <table className="slipway-Table">
          <thead>
            <tr>
              <th scope="col">{trans.__('What')}</th>
              <th scope="col">{trans.__('In the notebook')}</th>
              <th scope="col">{trans.__('In a clean process')}</th>
            </tr>
          </thead>
          <tbody>
            {verdict.differences.map(one => (
              <tr key={one.name}>
                <td>{one.name}</td>
                <td>{one.expected}</td>
                <td>{one.found}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
