import { isIP } from 'node:net';
import type { ParameterSpec, Parameters, ParameterValue } from '../../protocol/messages/parameters.js';

/** The parameters with defaults filled in, or the first thing that is wrong with them. */
export type CheckedParameters =
  | Readonly<{ ok: true; values: ReadonlyMap<string, ParameterValue> }>
  | Readonly<{ ok: false; code: 'missing_required_parameter' | 'invalid_parameter'; message: string }>;

/** Holds the given parameters against an action's specs. Names that no spec declares are passed on as they are. */
export function checkParameters(specs: readonly ParameterSpec[], given: Parameters): CheckedParameters {
  const values = new Map(Object.entries(given));
  for (const { name, type, required, default: fallback } of specs) {
    const value = values.get(name) ?? fallback;
    if (value === undefined || value === '') {
      if (required)
        return { ok: false, code: 'missing_required_parameter', message: `missing required parameter: ${name}` };
      continue;
    }
    const fitting = toType(value, type);
    if (fitting === undefined)
      return { ok: false, code: 'invalid_parameter', message: `parameter ${name} is not of type ${type}` };
    values.set(name, fitting);
  }
  return { ok: true, values };
}

function toType(value: ParameterValue, type: ParameterSpec['type']): ParameterValue | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : String(value);
    case 'number':
      return toNumber(value);
    case 'integer': {
      const number = toNumber(value);
      return Number.isSafeInteger(number) ? number : undefined;
    }
    case 'boolean':
      return typeof value === 'boolean' ? value : value === 'true' ? true : value === 'false' ? false : undefined;
    case 'ip':
      return typeof value === 'string' && isIP(value) !== 0 ? value : undefined;
  }
}

function toNumber(value: ParameterValue): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
