import { matches, type Selector } from '../../protocol/selectors.js';
import type { CreateGrant } from '../http/grant-schemas.js';
import type { Adapters } from '../integrations/adapter.js';
import { MAX_INTEGRATIONS } from '../integrations/context.js';
import { definitionOf as definitionOfAction } from '../integrations/plan.js';
import { definitionOf } from '../nodes/catalogue.js';
import { type Registry, recordsOf } from '../nodes/registry.js';
import { findSandbox } from '../sandboxes/rows.js';
import type { Queries } from '../store/database.js';
import { findIntegration, type IntegrationRow, listIntegrations } from '../store/integrations.js';
import type { Refusal } from '../store/made-once.js';
import { isWildcard, TOO_DIFFERENT, writeDefinitions } from './definitions.js';
import type { Coverage } from './make.js';
import { ANY_INTEGRATION } from './rows.js';

/** Where it is looked up what stands behind the names of actions. */
export type CoverageDeps = Readonly<{ registry: Registry; adapters: Adapters }>;

/** The columns of a target, and everything that stands behind a name there. */
type Target = Pick<Coverage, 'target' | 'integration'> & Readonly<{ definitionsOf: (name: string) => string[] }>;

/**
 * What a grant that is made alone is for, by ids that nothing else gets after it. What is named without `*` and `?` has
 * to be there, since the grant is for what it is now.
 */
export async function coverageOf(
  deps: CoverageDeps,
  queries: Queries,
  { org, ask }: Readonly<{ org: string; ask: CreateGrant }>,
): Promise<Coverage | Refusal> {
  const { sandbox = null, actions } = ask;
  if (sandbox !== null && (await findSandbox(queries, org, sandbox)) === undefined) {
    return { refused: 'not_found', detail: `There is no sandbox ${sandbox}` };
  }
  const found = await findTarget(deps, queries, { org, target: ask.target });
  if ('refused' in found) return found;
  const { definitionsOf, ...target } = found;
  const named = actions.filter((pattern) => !isWildcard(pattern));
  const known = new Map(named.map((name) => [name, [...new Set(definitionsOf(name))]]));
  for (const [name, { length }] of known) {
    if (length > 0) continue;
    return {
      refused: 'unknown_action',
      detail: `Nothing there offers ${name}: a pattern is for what is to come, ${name}*`,
    };
  }
  const definitions = writeDefinitions(known);
  if (definitions === undefined) return { refused: 'invalid_request', detail: TOO_DIFFERENT };
  return { sandbox, actions: JSON.stringify(actions), definitions, ...target };
}

async function findTarget(
  { registry, adapters }: CoverageDeps,
  queries: Queries,
  { org, target }: Readonly<{ org: string; target: CreateGrant['target'] }>,
): Promise<Target | Refusal> {
  if (!('integration' in target)) {
    const definitionsOf = (name: string): string[] => definitionsOn(registry, { org, target }, name);
    return { target: JSON.stringify(target), integration: null, definitionsOf };
  }
  const { integration: name } = target;
  const isAny = name === ANY_INTEGRATION;
  const one = isAny ? undefined : await findIntegration(queries, org, name);
  if (!isAny && one === undefined) {
    return { refused: 'unknown_integration', detail: `There is no integration ${name}` };
  }
  const rows = one === undefined ? await listIntegrations(queries, { org, limit: MAX_INTEGRATIONS }) : [one];
  return {
    ...{ target: null, integration: one?.id ?? ANY_INTEGRATION },
    definitionsOf: (action) => rows.flatMap((row) => definitionsIn(adapters, row, action)),
  };
}

/** Of a hook that nobody has accepted as it is now there is none. */
function definitionsOn(
  registry: Registry,
  { org, target }: Readonly<{ org: string; target: Selector }>,
  name: string,
): string[] {
  const there = recordsOf(registry, org).filter(({ node, groups, labels }) =>
    matches(target, { node, groups: [...groups.keys()], labels }),
  );
  const offers = there.flatMap(({ catalogue, pins }) => {
    const offer = catalogue?.get(name);
    return offer === undefined || (offer.kind === 'hook' && pins.get(name) !== offer.checksum) ? [] : offer;
  });
  return [...new Set(offers)].map(definitionOf); // nodes that announce the same share the object
}

function definitionsIn(adapters: Adapters, row: IntegrationRow, name: string): string[] {
  const actions = adapters.get(row.adapter)?.actions ?? [];
  return actions.filter((action) => action.name === name).map((action) => definitionOfAction(row, action));
}
