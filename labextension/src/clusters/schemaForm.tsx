/** The fields of a JSON Schema, each label tied to its input. */
import * as React from 'react';

import { useContext } from '../ui/context';
import { Field } from '../ui/fields';
import { problemOf, type SchemaField, type SchemaGroup, textOf, type Texts } from './schema';

interface FormProps {
  groups: readonly SchemaGroup[];
  texts: Texts;
  /** What the server refused, by the field's path. */
  refused: Readonly<Record<string, string>>;
  onChange: (path: string, text: string) => void;
}

export function SchemaForm(props: FormProps): JSX.Element {
  return (
    <>
      {props.groups.map(group =>
        group.title ? (
          <fieldset key={group.title} className="slipway-Fieldset">
            <legend>{group.title}</legend>
            {group.description && <p className="slipway-Dim">{group.description}</p>}
            <Fields {...props} fields={group.fields} />
          </fieldset>
        ) : (
          <Fields key="" {...props} fields={group.fields} />
        )
      )}
    </>
  );
}

function Fields(props: FormProps & { fields: readonly SchemaField[] }): JSX.Element {
  const { trans } = useContext();
  const { fields, texts, refused, onChange } = props;
  return (
    <div className="slipway-Fields">
      {fields.map(field => {
        const text = textOf(field, texts);
        return (
          <Field
            key={field.path}
            label={field.title}
            required={field.required}
            hint={[field.description, limits(field)].filter(Boolean).join(' · ')}
            problem={problemOf(field, text, trans) ?? refused[field.path]}
          >
            {attributes => (
              <Input
                attributes={attributes}
                field={field}
                text={text}
                onChange={typed => onChange(field.path, typed)}
              />
            )}
          </Field>
        );
      })}
    </div>
  );
}

/** `1–16`: what a figure may be. */
function limits({ kind, minimum, maximum }: SchemaField): string {
  if (kind !== 'integer' && kind !== 'number') {
    return '';
  }
  if (minimum !== undefined && maximum !== undefined) {
    return `${minimum}–${maximum}`;
  }
  return minimum !== undefined ? `≥ ${minimum}` : maximum !== undefined ? `≤ ${maximum}` : '';
}

function Input(props: {
  attributes: { id: string; className: string };
  field: SchemaField;
  text: string;
  onChange: (text: string) => void;
}): JSX.Element {
  const { trans } = useContext();
  const { attributes, field, text } = props;
  const change = (event: React.ChangeEvent<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>) =>
    props.onChange(event.target.value);
  switch (field.kind) {
    case 'choice':
    case 'flag': {
      const choices =
        field.kind === 'flag'
          ? ([
              ['true', trans.__('yes')],
              ['false', trans.__('no')]
            ] as const)
          : field.choices.map(choice => [String(choice), String(choice)] as const);
      return (
        <select {...attributes} value={text} onChange={change}>
          {!choices.some(([value]) => value === text) && <option value={text}>{text}</option>}
          {choices.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      );
    }
    case 'integer':
      return (
        <input
          {...attributes}
          type="number"
          step={1}
          min={field.minimum}
          max={field.maximum}
          value={text}
          onChange={change}
        />
      );
    case 'json':
      return <textarea {...attributes} rows={2} spellCheck={false} value={text} onChange={change} />;
    case 'number':
    case 'text':
      return (
        <input
          {...attributes}
          spellCheck={false}
          inputMode={field.kind === 'number' ? 'decimal' : undefined}
          value={text}
          onChange={change}
        />
      );
  }
}
