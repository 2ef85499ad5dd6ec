import { MusterError } from '../protocol/errors.js';
import type { ParameterSpec, Parameters, ParameterValue } from '../protocol/messages/parameters.js';

/** Parameters as they were typed: `name=value`. */
export type TypedParameters = ReadonlyMap<string, string>;

/**
 * @throws {MusterError} usage
 */
export function readParameters(words: readonly string[]): TypedParameters {
  const parameters = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw new MusterError('usage', `${JSON.stringify(word)} is not a parameter of the form name=value`);
    const name = word.slice(0, at);
    if (parameters.has(name)) throw new MusterError('usage', `The parameter ${JSON.stringify(name)} is given twice`);
    parameters.set(name, word.slice(at + 1));
  }
  return parameters;
}

/** The values in the types that the action announces. What does not fit stays text, so that the controller names the fault. */
export function toParameters(typed: TypedParameters, specs: readonly ParameterSpec[]): Parameters {
  const typeOf = new Map(specs.map(({ name, type }) => [name, type]));
  return Object.fromEntries([...typed].map(([name, text]) => [name, toValue(text, typeOf.get(name))]));
}

function toValue(text: string, type: ParameterSpec['type'] | undefined): ParameterValue {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if ((type === 'number' || type === 'integer') && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    const value = Number(text);
    if (Number.isFinite(value)) return value;
  }
  return text;
}
