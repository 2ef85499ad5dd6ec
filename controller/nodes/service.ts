import { MusterError } from '../../protocol/errors.js';
import { ID_PATTERN } from '../../protocol/ids.js';
import { Capabilities } from '../../protocol/messages/capabilities.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { groupBy } from '../grouping.js';
import type { ContainerView } from '../http/container-schemas.js';
import type { ActionView, NodeDetail, NodeView } from '../http/schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { PolicyDocument } from '../policy/document.js';
import type { Policies } from '../policy/policies.js';
import { riskOf } from '../policy/risks.js';
import type { SeenNodes } from '../sandboxes/reach.js';
import type { NodeService } from '../services.js';
import type { Store } from '../store/store.js';
import type { Container } from './announced-containers.js';
import type { Offer } from './catalogue.js';
import { hooksOf } from './hooks.js';
import { filterOf, firstRecords } from './listing.js';
import type { Membership } from './membership.js';
import { type Presence, stateOf } from './presence.js';
import { compareText, type NodeRecord, recordsOf } from './registry.js';

/** What is known of nodes, from memory but for what only one node is asked for, and what people change of them. */
export function createNodeService(deps: {
  store: Store;
  registry: SeenNodes;
  presence: Presence;
  clock: Clock;
  /** How many executions of a node are open. */
  openOn: (node: string) => number;
  /** By which the risk of an action goes. */
  policies: Policies;
  membership: Membership;
}): NodeService {
  const { store, registry, presence, clock, openOn, policies, membership } = deps;

  function view(record: NodeRecord): NodeView {
    const { node, catalogue } = record;
    const lastSeenMs = presence.lastSeenMs(node) ?? record.lastSeenMs;
    const offers = [...(catalogue?.values() ?? [])];
    return {
      node,
      state: stateOf(presence, record, clock.nowMs()),
      transport: record.key === undefined ? 'http' : 'mqtt',
      agent_version: record.agentVersion,
      groups: [...record.groups.keys()].sort(),
      labels: record.labels,
      enrolled_at: toTime(record.enrolledAtMs),
      last_seen: lastSeenMs === null ? null : toTime(lastSeenMs),
      boot_id: record.bootId,
      process_id: record.processId,
      builtin_actions: namesOf(offers, 'builtin'),
      hooks: namesOf(offers, 'hook'),
      open_executions: openOn(node),
    };
  }

  async function get(org: string, node: string): Promise<NodeDetail | undefined> {
    const record = registry.get(node);
    if (record?.org !== org) return undefined;
    return {
      ...view(record),
      limits: await findLimits(store, node),
      hook_checksums: hooksOf(record),
      containers: mayKnowContainers(record) ? record.containers.map(toContainerView) : [],
    };
  }

  return {
    async list(org, { limit, cursor, ...query }) {
      const after = readCursor(cursor, ID_PATTERN) ?? '';
      const fits = filterOf(query, (record) => stateOf(presence, record, clock.nowMs()));
      const nodes = firstRecords(
        registry,
        limit + 1,
        (record) => record.org === org && record.node > after && fits(record),
      );
      return toPage(nodes, { limit, keyOf: ({ node }) => node, toItem: view });
    },
    async summary(org) {
      const counts = { total: 0, online: 0, offline: 0, never_seen: 0 };
      const nowMs = clock.nowMs();
      for (const record of registry.all()) {
        if (record.org !== org) continue;
        counts.total += 1;
        counts[stateOf(presence, record, nowMs)] += 1;
      }
      return counts;
    },
    get,
    async change(principal, node, change) {
      const isThere = await membership.change(principal, node, change);
      return isThere ? get(principal.org, node) : undefined;
    },
    remove: membership.remove,
    async groups(org) {
      const members = recordsOf(registry, org).flatMap(({ groups }) => [...groups.keys()]);
      return [...groupBy(members, (group) => group)]
        .map(([group, each]) => ({ group, nodes: each.length }))
        .sort((a, b) => compareText(a.group, b.group));
    },
    async actions(org, node) {
      const records = recordsOf(registry, org).filter((record) => node === undefined || record.node === node);
      if (node !== undefined && records.length === 0) throw new MusterError('unknown_node', `There is no node ${node}`);
      const { document } = await policies.current(org);
      return toActions(records, document);
    },
  };
}

/** The bounds that the node announced, and how well it can end what an action starts (`process_isolation`). */
async function findLimits({ read }: Store, node: string): Promise<Capabilities['limits']> {
  const row = await read.selectFrom('nodes').select('capabilities').where('node', '=', node).executeTakeFirst();
  return row?.capabilities == null ? {} : Capabilities.parse(JSON.parse(row.capabilities)).limits;
}

/** A sandbox whose connections name none of the actions on containers sees a node without them, and learns of none. */
function mayKnowContainers({ catalogue }: NodeRecord): boolean {
  return [...(catalogue?.keys() ?? [])].some((name) => name.startsWith('container_'));
}

function toContainerView({ id, name, image, state, labels }: Container): ContainerView {
  return { id, name: name ?? null, image: image ?? null, state: state ?? null, labels };
}

/** What one catalogue offers under a name and kind, and the nodes that have this catalogue. */
type Offered = Readonly<{ offer: Offer; nodes: readonly string[] }>;

/**
 * One entry per name and kind; the description and parameters are those of the first node that offers it. Nodes that
 * announce the same share a catalogue, which is looked at once for all of them.
 */
function toActions(records: readonly NodeRecord[], policy: PolicyDocument): ActionView[] {
  const sameCatalogue = groupBy(records, ({ catalogue }) => catalogue);
  const offered = [...sameCatalogue].flatMap(([catalogue, group]) => {
    const nodes = group.map(({ node }) => node);
    return [...(catalogue?.values() ?? [])].map((offer): Offered => ({ offer, nodes }));
  });
  const byName = groupBy(offered, ({ offer }) => `${offer.spec.name} ${offer.kind}`);
  return [...byName.values()]
    .flatMap((group) => (group[0] === undefined ? [] : [toAction(group[0].offer, group, policy)]))
    .sort((a, b) => compareText(a.name, b.name));
}

function toAction(first: Offer, offered: readonly Offered[], policy: PolicyDocument): ActionView {
  const { name, description, parameters, timeout } = first.spec;
  const shared = {
    name,
    kind: first.kind,
    description,
    risk: riskOf(
      policy,
      name,
      offered.map(({ offer }) => ({ kind: offer.kind, announced: offer.spec.risk })),
    ),
    parameters,
    timeout: timeout ?? null,
    nodes: nodesOf(offered),
  };
  if (first.kind === 'builtin') return shared;
  const byChecksum = groupBy(offered, ({ offer }) => (offer.kind === 'hook' ? offer.checksum : ''));
  const checksums = [...byChecksum].map(([checksum, each]) => [checksum, nodesOf(each)] as const);
  return { ...shared, checksums: Object.fromEntries(checksums), sandbox: first.spec.sandbox };
}

function nodesOf(offered: readonly Offered[]): string[] {
  return offered.flatMap(({ nodes }) => nodes).sort(compareText);
}

function namesOf(offers: readonly Offer[], kind: Offer['kind']): string[] {
  return offers.flatMap((offer) => (offer.kind === kind ? [offer.spec.name] : [])).sort(compareText);
}
