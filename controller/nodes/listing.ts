import type { NodesQuery } from '../http/list-schemas.js';
import type { NodeState } from '../http/schemas.js';
import { compareText, type NodeRecord, type Registry } from './registry.js';

/** Whether a node fits a list that is narrowed so; what costs the most is looked at last. */
export function filterOf(
  { q = '', state, group, label = [] }: Omit<NodesQuery, 'limit' | 'cursor'>,
  stateOf: (record: NodeRecord) => NodeState,
): (record: NodeRecord) => boolean {
  const part = q.toLowerCase();
  const states = state === undefined ? undefined : new Set(state);
  return (record) =>
    (group === undefined || record.groups.has(group)) &&
    label.every(([key, value]) => Object.hasOwn(record.labels, key) && record.labels[key] === value) &&
    (part === '' || record.node.toLowerCase().includes(part)) &&
    (states === undefined || states.has(stateOf(record)));
}

/**
 * The first `count` nodes by id that fit, in order. The fleet is gone through once and not sorted: most nodes lie beyond
 * the page.
 */
export function firstRecords(
  registry: Pick<Registry, 'all'>,
  count: number,
  fits: (record: NodeRecord) => boolean,
): NodeRecord[] {
  const first: NodeRecord[] = [];
  for (const record of registry.all()) {
    const last = first.length < count ? undefined : first.at(-1);
    if ((last !== undefined && compareText(record.node, last.node) > 0) || !fits(record)) continue;
    first.splice(placeOf(record.node, first), 0, record);
    if (first.length > count) first.pop();
  }
  return first;
}

/** Where a node belongs among sorted ones. */
function placeOf(node: string, sorted: readonly NodeRecord[]): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareText(sorted[middle]?.node ?? '', node) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
