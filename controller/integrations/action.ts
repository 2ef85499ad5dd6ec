import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import type { Risk } from '../../protocol/messages/capabilities.js';
import type { ActionParam } from '../http/integration-schemas.js';
import { faultsOf } from '../http/validation.js';
import type { Upstream } from './upstream.js';

/** Parameters by name, as they were sent. */
export type Params = Readonly<Record<string, unknown>>;

/** An action of an integration. */
export type ActionDefinition = Readonly<{
  name: string;
  description: string;
  risk: Risk;
  params: readonly ActionParam[];
  /** Everything that decides what the action does: an approval is for this and nothing else. */
  fingerprint: string;
  /** @throws {MusterError} missing_required_parameter, invalid_parameter */
  check: (params: Params) => void;
  /** What the system answers. @throws {UpstreamFailure}; and what `check` throws */
  run: (params: Params, via: Upstream) => Promise<unknown>;
}>;

/** What of a JSON Schema is shown to callers. */
const Shown = z.object({
  properties: z.record(z.string(), z.object({ type: z.string().optional(), description: z.string().default('') })),
  required: z.array(z.string()).default([]),
});

const TYPES: ReadonlyMap<string, ActionParam['type']> = new Map([
  ['string', 'string'],
  ['number', 'number'],
  ['integer', 'number'],
  ['boolean', 'boolean'],
]);

/** The values of parameters with these schemas. */
type Values<S extends z.ZodRawShape> = z.infer<z.ZodObject<S, z.core.$strict>>;

/**
 * Makes an action: `params` has the schema of each parameter, from which callers learn its type, and `run` too.
 * `details` is what else decides what it does.
 */
export function defineAction<S extends z.ZodRawShape>({
  name,
  description,
  risk,
  params,
  details = null,
  run,
}: Readonly<{
  name: string;
  description: string;
  risk: Risk;
  params: S;
  details?: unknown;
  run: (params: Values<S>, via: Upstream) => Promise<unknown>;
}>): ActionDefinition {
  const schema = z.strictObject(params);
  const shown = paramsOf(schema);
  const parse = (given: Params): Values<S> => {
    refuseMissing(shown, given);
    const parsed = schema.safeParse(given, { reportInput: true });
    if (parsed.success) return parsed.data;
    const [fault] = faultsOf(parsed.error.issues, 'parameters');
    throw new MusterError('invalid_parameter', `${name}: ${fault?.detail ?? 'the parameters do not fit'}`);
  };
  return {
    ...{ name, description, risk, params: shown },
    fingerprint: JSON.stringify([risk, shown, details]),
    check: (given) => void parse(given),
    run: async (given, via) => run(parse(given), via),
  };
}

function paramsOf(schema: z.ZodObject): ActionParam[] {
  const { properties, required } = Shown.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return Object.entries(properties).map(([name, { type = '', description }]) => ({
    ...{ name, description },
    type: TYPES.get(type) ?? 'object',
    required: required.includes(name),
  }));
}

/** An empty text stands for a parameter that is missing (S-A-11). @throws {MusterError} missing_required_parameter */
function refuseMissing(shown: readonly ActionParam[], given: Params): void {
  const missing = shown.find(({ name, required }) => required && (given[name] ?? '') === '');
  if (missing === undefined) return;
  throw new MusterError('missing_required_parameter', `Missing required parameter: ${missing.name}`);
}
