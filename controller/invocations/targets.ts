import { MusterError } from '../../protocol/errors.js';
import { matches, type Selector } from '../../protocol/selectors.js';
import type { NodeRecord } from '../nodes/registry.js';
import type { SeenNodes } from '../sandboxes/reach.js';

/**
 * The nodes that a selector names now, by id.
 * @throws {MusterError} unknown_node, unknown_group, no_target
 */
export function resolveTargets(registry: SeenNodes, org: string, selector: Selector): NodeRecord[] {
  if ('nodes' in selector) return resolveNamed(registry, org, selector.nodes);
  const found = [...registry.all()].filter(
    (record) =>
      record.org === org &&
      matches(selector, { node: record.node, groups: [...record.groups.keys()], labels: record.labels }),
  );
  if (found.length > 0) return found.sort((a, b) => (a.node < b.node ? -1 : 1));
  if ('group' in selector) throw new MusterError('unknown_group', `No node is a member of the group ${selector.group}`);
  throw new MusterError('no_target', 'The selector matches no node');
}

function resolveNamed(registry: SeenNodes, org: string, nodes: readonly string[]): NodeRecord[] {
  return [...new Set(nodes)].map((node) => {
    const record = registry.get(node);
    if (record?.org !== org) throw new MusterError('unknown_node', `No node ${node} is enrolled`);
    return record;
  });
}
