/** Fields with a label that is tied to its input, and room for what is wrong with it. */
import * as React from 'react';

let count = 0;

/** An id no other field of the page has. */
export function useId(): string {
  return React.useState(() => `slipway-field-${++count}`)[0];
}

export function Field(props: {
  label: string;
  hint?: string;
  problem?: string | null;
  required?: boolean;
  children: (attributes: {
    id: string;
    className: string;
    'aria-describedby'?: string;
    'aria-invalid'?: true;
    required?: boolean;
  }) => React.ReactNode;
}): JSX.Element {
  const id = useId();
  const { label, hint, problem, required } = props;
  const told = problem || hint;
  return (
    <div className="slipway-Field">
      <label htmlFor={id}>
        {label}
        {required && <span aria-hidden="true"> *</span>}
      </label>
      {props.children({
        id,
        className: 'slipway-Input',
        'aria-describedby': told ? `${id}-told` : undefined,
        'aria-invalid': problem ? true : undefined,
        required
      })}
      {told && (
        <small id={`${id}-told`} className={problem ? 'slipway-Field-problem' : 'slipway-Dim'}>
          {told}
        </small>
      )}
    </div>
  );
}

export function Check(props: {
  label: React.ReactNode;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}): JSX.Element {
  return (
    <label className="slipway-Check">
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        onChange={event => props.onChange(event.target.checked)}
      />
      <span>{props.label}</span>
    </label>
  );
}
