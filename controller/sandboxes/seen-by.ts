import type { IntegrationView } from '../http/integration-schemas.js';
import type { IntegrationService } from '../integrations/integration-service.js';
import type { InvocationService, NodeService, Principal } from '../services.js';
import type { Seen } from './contract.js';
import { narrowRegistry, type Reach, reachOf, type SeenNodes } from './reach.js';

/**
 * What a caller sees: a person everything of their org; a sandbox the nodes of its connections with what it may ask
 * for there, and what it asked for itself. Everything else is not there for it.
 */
export function createSeenBy({
  registry,
  nodes,
  nodesOf,
  invocations,
  integrations,
}: {
  registry: SeenNodes;
  nodes: NodeService;
  /** The inventory as it looks from these nodes. */
  nodesOf: (seen: SeenNodes) => Seen['nodes'];
  invocations: InvocationService;
  integrations: IntegrationService;
}): (principal: Principal) => Seen {
  return (principal) => {
    const reach = reachOf(principal);
    if (reach === undefined) return { nodes, invocations, integrations };
    return {
      nodes: nodesOf(narrowRegistry(registry, reach)),
      invocations: ownOf(invocations, principal),
      integrations: {
        available: (org) => availableWithin(integrations, reach, org),
        invoke: integrations.invoke,
        preview: integrations.preview,
      },
    };
  };
}

/** The integrations that a connection names, and of each the actions. */
async function availableWithin(
  integrations: IntegrationService,
  reach: Reach,
  org: string,
): Promise<IntegrationView[]> {
  const all = await integrations.available(org);
  return all
    .map((each) => ({ ...each, actions: each.actions.filter(({ name }) => reach.mayAskOf(each.id, name)) }))
    .filter(({ id }) => reach.patternsOf(id).length > 0);
}

/** Only what this one asked for. */
function ownOf(invocations: InvocationService, { id: own }: Principal): Seen['invocations'] {
  const get: InvocationService['get'] = async (org, id) => {
    const found = await invocations.get(org, id);
    return found?.created_by === own ? found : undefined;
  };
  /** What `read` finds of one's own, undefined of everything else. */
  const ifOwn = async <T>(org: string, id: string, read: () => Promise<T | undefined>): Promise<T | undefined> =>
    (await get(org, id)) === undefined ? undefined : read();
  return {
    create: invocations.create,
    preview: invocations.preview,
    get,
    list: (org, query) => invocations.list(org, { ...query, created_by: own }),
    cancel: (principal, id, ask) => ifOwn(principal.org, id, () => invocations.cancel(principal, id, ask)),
    executions: (org, id, query) => ifOwn(org, id, () => invocations.executions(org, id, query)),
    executionGroups: (org, id, query) => ifOwn(org, id, () => invocations.executionGroups(org, id, query)),
    execution: (org, id, node) => ifOwn(org, id, () => invocations.execution(org, id, node)),
    outputOf: (org, id, of) => ifOwn(org, id, () => invocations.outputOf(org, id, of)),
    resultOf: (org, id) => ifOwn(org, id, () => invocations.resultOf(org, id)),
    whenDone: (org, id, wait) => ifOwn(org, id, () => invocations.whenDone(org, id, wait)),
  };
}
