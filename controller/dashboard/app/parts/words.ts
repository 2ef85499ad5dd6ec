import { describeSelector } from '../../../../protocol/describe-selector.js';
import type { Risk } from '../../../../protocol/messages/capabilities.js';
import type { InvocationView } from '../../../http/schemas.js';
import type { InvocationTarget } from '../../../http/target-schemas.js';

/** How many names of nodes stand in a line. */
const NAMED = 3;

/** `1 node`, `12 nodes`. */
export function countNodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}

/** Of whom something is asked, in words. */
export function describeTarget(target: InvocationTarget): string {
  return 'integration' in target ? `the integration ${target.integration}` : describeSelector(target);
}

/** On whom an ask is to run: `node pump-1`, `9 nodes: a, b, c and 6 more`, `group pumps (12 nodes)`. */
export function placeInWords({ target, nodes }: Pick<InvocationView, 'target' | 'nodes'>): string {
  if ('integration' in target) return describeTarget(target);
  if (!('nodes' in target)) return `${describeTarget(target)} (${countNodes(nodes)})`;
  if (target.nodes.length === 1) return `node ${target.nodes[0]}`;
  const more = target.nodes.length - NAMED;
  return `${countNodes(nodes)}: ${target.nodes.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Whether those words name every node that the ask names. */
export function namesAll({ target }: Pick<InvocationView, 'target'>): boolean {
  return !('nodes' in target) || target.nodes.length <= NAMED;
}

/** What may come of an action. */
export const RISK_WORDS: Readonly<Record<Risk, string>> = {
  read: 'only reads',
  write: 'changes something',
  danger: 'danger: may not be undone',
};

const SANDBOX = 'sandbox:';

/** The sandbox that asked or acted; undefined when it was a person. */
export function sandboxOf(actor: string): string | undefined {
  return actor.startsWith(SANDBOX) ? actor.slice(SANDBOX.length) : undefined;
}
