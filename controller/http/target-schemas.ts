import { z } from 'zod';
import { describeSelector } from '../../protocol/describe-selector.js';
import { Id } from '../../protocol/ids.js';
import { ParameterName } from '../../protocol/messages/parameters.js';
import { Selector } from '../../protocol/selectors.js';

/** An integration, where others name nodes. */
export const IntegrationTarget = z.strictObject({ integration: Id.describe('Name of an integration') });
export type IntegrationTarget = Readonly<z.infer<typeof IntegrationTarget>>;

/** Whom an invocation is for: nodes, or an integration. */
export const InvocationTarget = z.union(
  [...Selector.options, IntegrationTarget],
  'must be exactly one of nodes, group, labels, fleet and integration',
);
export type InvocationTarget = Readonly<z.infer<typeof InvocationTarget>>;

/** A target in words, for people and logs. */
export function describeTarget(target: InvocationTarget): string {
  return 'integration' in target ? `integration ${target.integration}` : describeSelector(target);
}

const MAX_PARAMETERS_BYTES = 64 * 1024;
/** What is nested deeper could run the stack out of whoever writes it as JSON. */
const MAX_DEPTH = 32;

/** Name → any JSON value: what an integration's action takes may be an object. */
export const AnyParameters = z
  .record(ParameterName, z.unknown())
  .refine((parameters) => Object.keys(parameters).length <= 64, 'at most 64 parameters')
  .refine((parameters) => isShallow(parameters, MAX_DEPTH), {
    error: `at most ${MAX_DEPTH} levels in each other`,
    abort: true,
  })
  .refine(
    (parameters) => Buffer.byteLength(JSON.stringify(parameters)) <= MAX_PARAMETERS_BYTES,
    'at most 64 KiB in all',
  )
  .describe('Name → value; for nodes strings, numbers and booleans, for integrations also objects');
export type AnyParameters = Readonly<z.infer<typeof AnyParameters>>;

/** As they are stored and shown: without the limits of an ask, since a redacted value may be longer than what it stands for. */
export const ShownParameters = z.record(z.string(), z.unknown());

/** A column that holds parameters as JSON: they were held against their limits when they came. */
export function readParameters(text: string): AnyParameters {
  return ShownParameters.parse(JSON.parse(text));
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1));
}
