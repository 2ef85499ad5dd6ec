import { z } from 'zod';
import { MusterError } from './errors.js';
import { Id } from './ids.js';

const LabelKey = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/);
const LabelValue = z.string().max(256);

/** Key → value; a node carries at most 64. */
export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= 64, 'at most 64 labels');
export type Labels = Readonly<z.infer<typeof Labels>>;

/** Whom an invocation is for: exactly one of the four. `labels` selects the nodes that carry all of them. */
export const Selector = z.union(
  [
    z.strictObject({ nodes: z.array(Id).min(1).max(10_000) }),
    z.strictObject({ group: Id }),
    z.strictObject({ labels: Labels.refine((labels) => Object.keys(labels).length > 0, 'at least one label') }),
    z.strictObject({ fleet: z.literal(true) }),
  ],
  'must be exactly one of nodes, group, labels and fleet',
);
export type Selector = Readonly<z.infer<typeof Selector>>;

/** What a selector looks at. */
export type Selectable = Readonly<{
  node: string;
  groups: readonly string[];
  labels: Readonly<Record<string, string>>;
}>;

/** Whether the selector names this node. */
export function matches(selector: Selector, node: Selectable): boolean {
  if ('fleet' in selector) return true;
  if ('nodes' in selector) return selector.nodes.includes(node.node);
  if ('group' in selector) return node.groups.includes(selector.group);
  return Object.entries(selector.labels).every(
    ([key, value]) => Object.hasOwn(node.labels, key) && node.labels[key] === value,
  );
}

/**
 * `key=value` of a label on the command line.
 * @throws {MusterError} usage
 */
export function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  const key = text.slice(0, Math.max(at, 0));
  const value = text.slice(at + 1);
  if (at < 1 || !LabelKey.safeParse(key).success || !LabelValue.safeParse(value).success) {
    throw new MusterError('usage', `${JSON.stringify(text)} is not a label of the form key=value`);
  }
  return [key, value];
}
