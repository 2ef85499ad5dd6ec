import { topicFilter } from '../../protocol/topics.js';
import type { Identity } from '../identity.js';
import { groupsOf } from './password.js';

/** The Topic Filters of what a node listens to: its own topics, the fleet's, and those of the groups in its password. */
export function filtersOf({ prefix, org, node, broker }: Identity): string[] {
  const scope = { prefix, org };
  return [
    topicFilter(scope, 'node_request', { node }),
    topicFilter(scope, 'control', { node }),
    topicFilter(scope, 'fleet_request'),
    ...groupsOf(broker.password).map((group) => topicFilter(scope, 'group_request', { group })),
  ];
}
