import { MusterError } from '../../protocol/errors.js';
import type { ActionDefinition, Params } from './action.js';
import type { Upstream } from './upstream.js';

/** How another system is spoken to. */
export type Adapter = Readonly<{
  /** Its name: `sentry`. */
  integration: string;
  /** Where the system answers, unless an integration says otherwise. */
  baseUrl: string;
  actions: readonly ActionDefinition[];
  /** The headers of every request, with the token in them. */
  headersFor: (token: string) => Readonly<Record<string, string>>;
  /** Does what shows that address and token are good, and changes nothing. @throws {UpstreamFailure} */
  check: (via: Upstream) => Promise<unknown>;
  /**
   * Does the action. The token is in `via`, which no adapter can read it out of.
   * @throws {MusterError} unknown_action, missing_required_parameter, invalid_parameter; {UpstreamFailure}
   */
  execute: (action: string, params: Params, via: Upstream) => Promise<unknown>;
}>;

/** Makes an adapter; the token goes into `Authorization: Bearer` unless `headersFor` says otherwise. */
export function defineAdapter({
  headersFor = (token) => ({ authorization: `Bearer ${token}` }),
  ...rest
}: Omit<Adapter, 'execute' | 'headersFor'> & Partial<Pick<Adapter, 'headersFor'>>): Adapter {
  return {
    ...rest,
    headersFor,
    execute: async (action, params, via) => actionOf(rest, action).run(params, via),
  };
}

/** @throws {MusterError} unknown_action, as `integration/action` */
export function actionOf({ integration, actions }: Pick<Adapter, 'integration' | 'actions'>, name: string) {
  const found = actions.find((each) => each.name === name);
  if (found === undefined) throw new MusterError('unknown_action', `There is no action ${integration}/${name}`);
  return found;
}

/** Every adapter by its name. */
export type Adapters = Pick<ReadonlyMap<string, Adapter>, 'get' | 'has' | 'keys'>;
