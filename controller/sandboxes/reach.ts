import type { Labels } from '../../protocol/selectors.js';
import { matches } from '../../protocol/selectors.js';
import type { NodeConnection } from '../http/sandbox-schemas.js';
import type { Catalogue } from '../nodes/catalogue.js';
import type { NodeRecord, Registry } from '../nodes/registry.js';
import { fitsAny } from '../policy/glob.js';
import type { Principal } from '../services.js';

/** What a connection looks at. The map is group → member since. */
export type ReachedNode = Readonly<{ node: string; groups: ReadonlyMap<string, unknown>; labels: Labels }>;

/** How far a sandbox reaches: what lies beyond is not there for it. */
export type Reach = Readonly<{
  /** The patterns of every connection that names this node; none when the node is not there for the sandbox. */
  patternsOn: (node: ReachedNode) => readonly string[];
  mayAsk: (action: string, node: ReachedNode) => boolean;
  /** The patterns of the connection to this integration, by its id; none when there is no connection. */
  patternsOf: (integration: string) => readonly string[];
  mayAskOf: (integration: string, action: string) => boolean;
}>;

/** A connection as it is kept: an integration is named by its id, which no other one gets after it. */
export type Connected = NodeConnection | Readonly<{ integration: string; actions: readonly string[] }>;

/** How far a caller reaches; undefined for people, who reach all of their org. A sandbox of which nothing is known reaches nothing. */
export function reachOf({ role, sandbox }: Principal): Reach | undefined {
  return role === 'sandbox' ? (sandbox?.reach ?? createReach([])) : undefined;
}

/** The nodes of a registry that somebody sees. */
export type SeenNodes = Pick<Registry, 'get' | 'all'>;

/** What these connections come to. */
export function createReach(connections: readonly Connected[]): Reach {
  const looks = connections.flatMap((each) =>
    'target' in each ? { names: nameTest(each.target), actions: each.actions } : [],
  );
  const patternsOn: Reach['patternsOn'] = (node) => looks.flatMap(({ names, actions }) => (names(node) ? actions : []));
  const patternsOf: Reach['patternsOf'] = (id) =>
    connections.flatMap((each) => ('integration' in each && each.integration === id ? each.actions : []));
  return {
    ...{ patternsOn, patternsOf },
    mayAsk: (action, node) => fitsAny(patternsOn(node), action),
    mayAskOf: (integration, action) => fitsAny(patternsOf(integration), action),
  };
}

/** A long list of names is looked up and not gone through, since a fleet is held against it. */
function nameTest(target: NodeConnection['target']): (node: ReachedNode) => boolean {
  if ('nodes' in target) {
    const named = new Set(target.nodes);
    return ({ node }) => named.has(node);
  }
  return ({ node, groups, labels }) => matches(target, { node, groups: [...groups.keys()], labels });
}

/**
 * A registry as it looks from within a reach: only those nodes, and of what they offer only what may be asked for, which
 * is looked at once for all nodes that offer the same.
 */
export function narrowRegistry(registry: SeenNodes, reach: Reach): SeenNodes {
  const narrow = createNarrowing();
  const seen = (record: NodeRecord): NodeRecord | undefined => {
    const patterns = reach.patternsOn(record);
    if (patterns.length === 0) return undefined;
    const { catalogue } = record;
    return { ...record, catalogue: catalogue === undefined ? undefined : narrow(catalogue, patterns) };
  };
  return {
    get(node) {
      const record = registry.get(node);
      return record === undefined ? undefined : seen(record);
    },
    *all() {
      for (const record of registry.all()) {
        const narrowed = seen(record);
        if (narrowed !== undefined) yield narrowed;
      }
    },
  };
}

/** What of a catalogue fits one of the patterns: the same object for the same two. */
function createNarrowing(): (whole: Catalogue, patterns: readonly string[]) => Catalogue {
  const known = new Map<Catalogue, Map<string, Catalogue>>();
  return (whole, patterns) => {
    const ofWhole = known.get(whole) ?? new Map<string, Catalogue>();
    known.set(whole, ofWhole);
    const key = patterns.join('\n');
    const narrowed = ofWhole.get(key) ?? new Map([...whole].filter(([name]) => fitsAny(patterns, name)));
    ofWhole.set(key, narrowed);
    return narrowed;
  };
}
