import { useId } from 'react';
import type { ParameterSpec, ParameterValue } from '../../../../protocol/messages/parameters.js';

/** A field for each parameter that the action names. */
export function ParameterFields({
  specs,
  presets,
}: {
  specs: readonly ParameterSpec[];
  /** What stands in a field at first. */
  presets: Readonly<Record<string, string>>;
}) {
  const prefix = useId();
  return specs.map((spec, index) => (
    <label key={spec.name} htmlFor={`${prefix}${index}`}>
      {spec.name}
      {spec.required ? '' : ' (may stay empty)'}
      <Field id={`${prefix}${index}`} spec={spec} preset={presets[spec.name] ?? ''} />
      {spec.description !== '' && <small>{spec.description}</small>}
    </label>
  ));
}

/** Names of fields, which no other field of the form has. */
function fieldOf(name: string): string {
  return `parameter ${name}`;
}

function Field({
  id,
  spec: { name, type, required, ...spec },
  preset,
}: {
  id: string;
  spec: ParameterSpec;
  preset: string;
}) {
  const placeholder = spec.default === undefined ? '' : `${spec.default}`;
  const common = { id, name: fieldOf(name), required: required && spec.default === undefined, defaultValue: preset };
  switch (type) {
    case 'boolean':
      return (
        <select {...common}>
          <option value="">{placeholder === '' ? '' : `as ever: ${placeholder}`}</option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      );
    case 'number':
    case 'integer':
      return <input {...common} type="number" step={type === 'integer' ? 1 : 'any'} placeholder={placeholder} />;
    default:
      return <input {...common} autoComplete="off" placeholder={placeholder} />;
  }
}

/** What the fields say; an empty one is not sent. */
export function readParameters(form: FormData, specs: readonly ParameterSpec[]): Record<string, ParameterValue> {
  return Object.fromEntries(
    specs.flatMap(({ name, type }) => {
      const text = String(form.get(fieldOf(name)) ?? '');
      return text === '' ? [] : [[name, toValue(text, type)]];
    }),
  );
}

function toValue(text: string, type: ParameterSpec['type']): ParameterValue {
  if (type === 'boolean') return text === 'true';
  return type === 'number' || type === 'integer' ? Number(text) : text;
}
