import type { Risk } from '../../../../protocol/messages/capabilities.js';
import type { InvocationTarget } from '../../../http/target-schemas.js';

/** How many names of nodes stand in a line. */
const NAMED = 3;

/** `1 node`, `12 nodes`. */
export function countNodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}

/** Whom an ask is for: `pump-1`, `pump-1, pump-2, pump-3 and 9 more`, `group pumps`, `site=north`, `the fleet`. */
export function targetInWords(target: InvocationTarget): string {
  if ('integration' in target) return `integration ${target.integration}`;
  if ('fleet' in target) return 'the fleet';
  if ('group' in target) return `group ${target.group}`;
  if ('labels' in target) return labelsOf(target.labels).join(', ');
  const more = target.nodes.length - NAMED;
  const named = target.nodes.slice(0, NAMED).join(', ');
  return more > 0 ? `${named} and ${more} more` : named;
}

/** `key=value` of each label. */
export function labelsOf(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`);
}

/** What may come of an action. */
export const RISK_WORDS: Readonly<Record<Risk, string>> = {
  read: 'only reads',
  write: 'changes something',
  danger: 'danger: may not be undone',
};

const SANDBOX = 'sandbox:';

/** Who asked; a sandbox is no person, which is said. */
export function askerInWords(id: string): string {
  return id.startsWith(SANDBOX) ? `a program (sandbox ${id.slice(SANDBOX.length)})` : id;
}

/** Whether a program asked, and not a person. */
export function isProgram(id: string): boolean {
  return id.startsWith(SANDBOX);
}
