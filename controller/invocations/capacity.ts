import { MusterError } from '../../protocol/errors.js';

/** The caps on open executions, of a node and of all nodes, also for asks that come at once. */
export type Capacity = Readonly<{
  /** Looks whether each node has room, and the controller. `most` is what the policy allows. @throws {MusterError} too_many_open */
  check: (nodes: readonly string[], most: number | undefined) => void;
  /** The same, and holds a place on each until the returned function is called. @throws {MusterError} too_many_open */
  take: (nodes: readonly string[], most: number | undefined) => () => void;
}>;

/** How many executions are stored as open, and how many may be. */
export type Places = Readonly<{
  countOf: (node: string) => number;
  countAll: () => number;
  maxPerNode: number;
  maxInAll: number;
}>;

/**
 * Between the look at what is stored and the commit other asks look, too: the places that those have taken count as
 * well. Each open execution is held in memory, so their sum has a bound of its own.
 */
export function createCapacity({ countOf, countAll, maxPerNode, maxInAll }: Places): Capacity {
  const taken = new Map<string, number>();
  let takenInAll = 0;

  function check(nodes: readonly string[], most = maxPerNode): void {
    const cap = Math.min(most, maxPerNode);
    const full = nodes.find((node) => countOf(node) + (taken.get(node) ?? 0) >= cap);
    if (full !== undefined) throw new MusterError('too_many_open', `${full} has ${cap} open executions already`);
    const open = countAll() + takenInAll;
    if (open + nodes.length <= maxInAll) return;
    throw new MusterError('too_many_open', `There are ${open} open executions, and at most ${maxInAll} on all nodes`);
  }

  function add(nodes: readonly string[], count: number): void {
    takenInAll += count * nodes.length;
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
