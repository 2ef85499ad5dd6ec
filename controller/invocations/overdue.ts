import type { InvocationRow } from '../store/invocations.js';

/** The clocks of several controllers on one store may differ by this. */
const SKEW_MS = 60_000;

/**
 * Whether the time to decide about what waits is over. What was made later than now was made before the clock was set
 * back: how long it has waited nobody knows, so nobody decides about it any more.
 */
export function isOverdue(
  { created_at, expires_at }: Pick<InvocationRow, 'created_at' | 'expires_at'>,
  nowMs: number,
): boolean {
  return expires_at <= nowMs || created_at > newestMs(nowMs);
}

/** For queries: what was made after this is overdue, whenever it expires. */
export function newestMs(nowMs: number): number {
  return nowMs + SKEW_MS;
}
