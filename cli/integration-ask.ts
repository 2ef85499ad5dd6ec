import type { ActionParam } from '../controller/http/integration-schemas.js';
import { Me } from '../controller/http/people-schemas.js';
import type { InvocationTarget } from '../controller/http/target-schemas.js';
import { MusterError } from '../protocol/errors.js';
import { type TypedParameters, toParameters } from '../runtime/parameters.js';
import type { Client } from './client.js';
import { offeredIntegrations } from './offered-integrations.js';
import { type TargetOptions, toSelector } from './target.js';

type Options = TargetOptions & Readonly<{ integration?: string | undefined }>;

/**
 * The action and the target that a command line spells: nodes, or an integration, which may also stand before the
 * action as in `sentry/get_issue`.
 * @throws {MusterError} usage
 */
export function toAsk(word: string, { integration, ...nodes }: Options): { action: string; target: InvocationTarget } {
  const at = word.indexOf('/');
  const [name, action] = at < 0 ? [integration, word] : [word.slice(0, at), word.slice(at + 1)];
  if (name === undefined) return { action, target: toSelector(nodes) };
  const isOther = integration !== undefined && integration !== name;
  if (isOther || Object.values(nodes).some((each) => each !== undefined)) {
    throw new MusterError('usage', 'Say whom it is for once: one integration, or nodes');
  }
  return { action, target: { integration: name } };
}

/** The values in the types that the adapter names; an object is written as JSON. */
export async function typeIntegrationParameters(
  client: Client,
  { integration, action }: { integration: string; action: string },
  typed: TypedParameters,
): Promise<Record<string, unknown>> {
  const offered = await offeredIntegrations(client, await client.call(Me, { path: '/me' }));
  const actions = offered.find(({ name }) => name === integration)?.actions ?? [];
  const params = actions.find(({ name }) => name === action)?.params ?? [];
  const plain = toParameters(
    typed,
    params.map(({ name, type, required, description }) => {
      return { name, required, description, type: type === 'object' ? 'string' : type };
    }),
  );
  return Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, toValue(value, params, name)]));
}

/** What is not JSON stays text, so that the controller names the fault. */
function toValue(value: unknown, params: readonly ActionParam[], name: string): unknown {
  const isObject = params.some((each) => each.name === name && each.type === 'object');
  if (!isObject || typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
