import { parseDuration } from '../../protocol/durations.js';
import { MusterError } from '../../protocol/errors.js';
import type { Batch, Share } from '../http/batch-schemas.js';

/** How a rollout is cut. `waitMs` is how long the nodes of a batch may take to accept it. */
export type Batches = Readonly<{ size: number; count: number; pauseMs: number; waitMs: number; maxFailed: number }>;

/** What a share of so many nodes is; percentages are rounded `up` or `down`. */
export function shareOf(share: Share, total: number, round: 'up' | 'down'): number {
  if (typeof share === 'number') return share;
  const part = (Number(share.slice(0, -1)) * total) / 100;
  return round === 'up' ? Math.ceil(part) : Math.floor(part);
}

/** The batches of an ask of so many nodes. */
export function batchesOf({ size: share, pause, wait, max_failed }: Batch, total: number): Batches {
  const size = Math.max(1, shareOf(share, total, 'up'));
  return {
    size,
    count: Math.ceil(total / size),
    pauseMs: Math.ceil(parseDuration(pause ?? '0') ?? 0),
    waitMs: wait === undefined ? Number.POSITIVE_INFINITY : Math.ceil(parseDuration(wait) ?? 0),
    maxFailed: shareOf(max_failed, total, 'down'),
  };
}

/**
 * Refuses what could not begin its last batch before it expires, since that would be found out hours later.
 * @throws {MusterError} invalid_request
 */
export function refuseTooSlow({ count, pauseMs }: Batches, expiresInMs: number): void {
  if (pauseMs * (count - 1) < expiresInMs) return;
  throw new MusterError(
    'invalid_request',
    `The pauses between ${count} batches take longer than expires_in: shorten them, or give it more time`,
  );
}

/** When a batch that begins now has to be accepted by. */
export function batchExpiry({ waitMs }: Batches, nowMs: number, expiresAtMs: number): number {
  return Math.min(expiresAtMs, nowMs + waitMs);
}
