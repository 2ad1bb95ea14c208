/** A form for a version's parameters, typed as its JSON Schema says. */
import * as React from 'react';

import type { Parameter } from '../api';
import { useContext } from './context';
import { Field } from './fields';
import { Button } from './parts';
import { type Parsed, parsed, shown } from './values';
import { typeWords } from './words';

type Values = Record<string, unknown>;

/** What is typed for some parameters, and what it comes to. */
export interface Filling {
  readonly parameters: readonly Parameter[];
  readonly texts: Readonly<Record<string, string>>;
  readonly answers: readonly Parsed[];
  readonly sound: boolean;
  /** What still is the default is not in it, so that the version's own default holds. */
  readonly values: Values;
  set: (name: string, text: string) => void;
}

export function useFilling(parameters: readonly Parameter[], initial?: Values): Filling {
  const { trans } = useContext();
  const [typed, setTyped] = React.useState<Record<string, string>>({});
  const texts = Object.fromEntries(
    parameters.map(one => [one.name, typed[one.name] ?? shown(initial?.[one.name] ?? one.default, one)])
  );
  const answers = parameters.map(one => parsed(texts[one.name], one, trans));
  const values = parameters.flatMap((one, at) => {
    const answer = answers[at];
    return answer.ok && texts[one.name] !== shown(one.default, one)
      ? [[one.name, answer.value] as const]
      : [];
  });
  return {
    parameters,
    texts,
    answers,
    sound: answers.every(answer => answer.ok),
    values: Object.fromEntries(values),
    set: (name, text) => setTyped({ ...typed, [name]: text })
  };
}

/** One field a parameter. */
export function ParameterFields(props: {
  filling: Filling;
  /** JSON Schema of all of them; its enumerations become choices. */
  schema: Record<string, unknown>;
}): JSX.Element {
  const { trans } = useContext();
  const { parameters, answers, texts, set } = props.filling;
  return (
    <div className="slipway-Fields">
      {parameters.map((one, at) => {
        const answer = answers[at];
        return (
          <Field
            key={one.name}
            label={one.name}
            hint={[one.description, typeWords(one.type, trans)].filter(Boolean).join(' · ')}
            problem={answer.ok ? null : answer.problem}
          >
            {attributes => (
              <ValueInput
                attributes={attributes}
                parameter={one}
                choices={choicesOf(props.schema, one.name)}
                text={texts[one.name]}
                onChange={text => set(one.name, text)}
              />
            )}
          </Field>
        );
      })}
    </div>
  );
}

/** The fields, with the button that runs the job. */
export function ParameterForm(props: {
  parameters: readonly Parameter[];
  schema: Record<string, unknown>;
  initial?: Values;
  submit: string;
  busy?: boolean;
  onSubmit: (values: Values) => void;
  onCancel?: () => void;
}): JSX.Element {
  const { trans } = useContext();
  const filling = useFilling(props.parameters, props.initial);
  const submit = (event: React.FormEvent) => {
    event.preventDefault();
    if (filling.sound) {
      props.onSubmit(filling.values);
    }
  };
  return (
    <form className="slipway-ParameterForm" onSubmit={submit}>
      {props.parameters.length === 0 && (
        <p className="slipway-Dim">{trans.__('This version has no parameters.')}</p>
      )}
      <ParameterFields filling={filling} schema={props.schema} />
      <div className="slipway-Buttons">
        {props.onCancel && <Button onClick={props.onCancel}>{trans.__('Cancel')}</Button>}
        <Button submit kind="primary" disabled={!filling.sound || props.busy}>
          {props.submit}
        </Button>
      </div>
    </form>
  );
}

function ValueInput(props: {
  attributes: { id: string; className: string };
  parameter: Parameter;
  choices: readonly unknown[] | null;
  text: string;
  onChange: (text: string) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { attributes, parameter, text } = props;
  const change = (event: React.ChangeEvent<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>) =>
    props.onChange(event.target.value);
  if (props.choices) {
    return (
      <select {...attributes} value={text} onChange={change}>
        {props.choices.map(choice => (
          <option key={String(choice)} value={shown(choice, parameter)}>
            {String(choice)}
          </option>
        ))}
      </select>
    );
  }
  if (parameter.type === 'bool') {
    return (
      <select {...attributes} value={text} onChange={change}>
        <option value="true">{trans.__('yes')}</option>
        <option value="false">{trans.__('no')}</option>
      </select>
    );
  }
  if (parameter.type === 'dict' || (parameter.type === 'list' && !parameter.item)) {
    return <textarea {...attributes} rows={2} dir="auto" spellCheck={false} value={text} onChange={change} />;
  }
  return (
    <input
      {...attributes}
      dir="auto"
      spellCheck={false}
      type={parameter.type === 'date' ? 'date' : 'text'}
      inputMode={parameter.type === 'int' ? 'numeric' : parameter.type === 'float' ? 'decimal' : undefined}
      value={text}
      onChange={change}
    />
  );
}

function choicesOf(schema: Record<string, unknown>, name: string): readonly unknown[] | null {
  const properties = schema.properties as Record<string, { enum?: unknown }> | undefined;
  const choices = properties?.[name]?.enum;
  return Array.isArray(choices) ? choices : null;
}
