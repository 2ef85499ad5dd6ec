import { MusterError } from '../protocol/errors.js';
import { parseLabel, type Selector } from '../protocol/selectors.js';

/** The options that say which nodes are meant. */
export type TargetOptions = Readonly<{
  node?: readonly string[] | undefined;
  group?: string | undefined;
  label?: readonly string[] | undefined;
  all?: boolean | undefined;
}>;

/**
 * The selector that the options spell; exactly one kind may be given.
 * @throws {MusterError} usage
 */
export function toSelector({ node, group, label, all }: TargetOptions): Selector {
  const given: Selector[] = [];
  if (node !== undefined) given.push({ nodes: [...new Set(node)] });
  if (group !== undefined) given.push({ group });
  if (label !== undefined) given.push({ labels: toLabels(label) });
  if (all === true) given.push({ fleet: true });
  const [selector] = given;
  if (selector === undefined || given.length > 1) {
    throw new MusterError('usage', 'Say which nodes: exactly one of --node, --group, --label and --all');
  }
  return selector;
}

/** A node has to carry all of them, so one name with two values would match nothing. */
function toLabels(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const [key, value] of texts.map(parseLabel)) {
    if ((labels.get(key) ?? value) !== value) {
      throw new MusterError('usage', `The label ${key} has two values, and no node carries both`);
    }
    labels.set(key, value);
  }
  return Object.fromEntries(labels);
}
