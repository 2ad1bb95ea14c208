/** The publish dialog's parameters: which constants the job takes, as which type, with which default. */
import * as React from 'react';

import type { ApiError, ParameterType } from '../api';
import { useContext } from '../ui/context';
import { Field, useId } from '../ui/fields';
import { Button, Skeleton } from '../ui/parts';
import { PARAMETER_TYPES, parsed } from '../ui/values';
import { typeWords } from '../ui/words';
import type { PublishModel } from './model';
import { type ParameterRow, type RowProblem, rowProblem } from './parameters';

/** Fields that mind Enter and Escape themselves. */
export const OWN_KEYS = 'slipway-mod-ownKeys';

function TypeOptions(): JSX.Element {
  const { trans } = useContext();
  return (
    <>
      {PARAMETER_TYPES.map(type => (
        <option key={type} value={type}>
          {typeWords(type, trans)}
        </option>
      ))}
    </>
  );
}

export function Parameters({ model }: { model: PublishModel }): JSX.Element | null {
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
                  <TypeOptions />
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
  const common = { className: 'slipway-Input', disabled: !row.on };
  const mark = (field: RowProblem['field']) =>
    problem?.field === field ? { 'aria-invalid': true as const, 'aria-describedby': told } : {};
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
            {...mark('name')}
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
            <TypeOptions />
          </select>
        </td>
        <td>
          <Default row={row} common={{ ...common, ...mark('default') }} set={set} />
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
                {problem.text}
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
