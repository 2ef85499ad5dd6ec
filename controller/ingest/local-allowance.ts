import type { Clock } from '../../runtime/clock.js';

/** So many results of local origin at once, and one more each second: nothing else lets a node add records at will. */
const BURST = 500;
const PER_SECOND = 1;

/** True while the node may have another result of local origin stored; what is refused it sends again. */
export type LocalAllowance = (node: string) => boolean;

export function createLocalAllowance(clock: Clock): LocalAllowance {
  /** By node. */
  const left = new Map<string, { count: number; atMs: number }>();
  return (node) => {
    const nowMs = clock.monotonicMs();
    const { count, atMs } = left.get(node) ?? { count: BURST, atMs: nowMs };
    const now = Math.min(BURST, count + ((nowMs - atMs) / 1000) * PER_SECOND);
    left.set(node, { count: now >= 1 ? now - 1 : now, atMs: nowMs });
    return now >= 1;
  };
}
