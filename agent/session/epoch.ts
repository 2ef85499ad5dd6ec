import type { Journal } from '../journal/contract.js';

/** Why a new epoch of the journal begins with a welcome. */
export type EpochCause = 'first welcome' | 'older copy' | 'ids forgotten';

/**
 * Why the journal must not be believed about requests from before this welcome; undefined when it may. An older copy
 * has fewer starts than the controller has seen, and what it lacks may have run. When the controller's clock was ahead,
 * ids were forgotten whose requests are in their time again once it is right.
 */
export function causeOfEpoch(
  { epochMs, seq, forgottenMs }: Journal,
  { nowMs, seenSeq }: { nowMs: number; seenSeq: number },
): EpochCause | undefined {
  if (epochMs === undefined) return 'first welcome';
  if (seq < seenSeq) return 'older copy';
  // Before the epoch nothing starts anyway: it begins when its time comes.
  return epochMs < nowMs && nowMs < forgottenMs ? 'ids forgotten' : undefined;
}
