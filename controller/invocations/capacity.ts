import { MusterError } from '../../protocol/errors.js';

/** The cap on open executions of a node, also for asks that come at once. */
export type Capacity = Readonly<{
  /** Looks whether each node has room. `most` is what the policy allows. @throws {MusterError} too_many_open */
  check: (nodes: readonly string[], most: number | undefined) => void;
  /** The same, and holds a place on each until the returned function is called. @throws {MusterError} too_many_open */
  take: (nodes: readonly string[], most: number | undefined) => () => void;
}>;

/**
 * `countOf` counts what is stored as open. Between the look at it and the commit other asks look, too: the places that
 * those have taken count as well.
 */
export function createCapacity(countOf: (node: string) => number, maxOpenPerNode: number): Capacity {
  const taken = new Map<string, number>();

  function check(nodes: readonly string[], most = maxOpenPerNode): void {
    const cap = Math.min(most, maxOpenPerNode);
    const full = nodes.find((node) => countOf(node) + (taken.get(node) ?? 0) >= cap);
    if (full !== undefined) throw new MusterError('too_many_open', `${full} has ${cap} open executions already`);
  }

  function add(nodes: readonly string[], count: number): void {
    for (const node of nodes) {
      const sum = (taken.get(node) ?? 0) + count;
      if (sum === 0) taken.delete(node);
      else taken.set(node, sum);
    }
  }

  return {
    check,
    take(nodes, most) {
      check(nodes, most);
      add(nodes, 1);
      return () => add(nodes, -1);
    },
  };
}
