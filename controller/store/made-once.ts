import { type ErrorCode, MusterError } from '../../protocol/errors.js';
import type { Principal } from '../services.js';
import type { Queries } from './database.js';
import { findIdempotentUse, insertIdempotentUse } from './idempotency.js';

/**
 * By what a POST that makes something is known when it comes again. `askedSha256` is of what is asked, and by which
 * token; what is made with it has this `secret`, so that the same answer can be given without storing it.
 */
export type Once = Readonly<{ key: string; askedSha256: string; secret: string }>;

/** Why nothing was made: a value, since a failure inside a transaction would undo its neighbours. */
export type Refusal = Readonly<{ refused: ErrorCode; detail: string }>;

/** What was made, now or by the same call before. */
export type Made<T> = Readonly<{ made: T }>;

/**
 * Makes something unless the same call has made it before. `find` gives what was made then, by its id; of a refusal of
 * `make` nothing is noted.
 */
export async function makeOnce<T>(
  tx: Queries,
  { by: { org, id }, once, nowMs }: Readonly<{ by: Principal; once: Once | undefined; nowMs: number }>,
  steps: Readonly<{
    find: (id: string) => Promise<T | undefined>;
    make: () => Promise<(Made<T> & Readonly<{ id: string }>) | Refusal>;
  }>,
): Promise<Made<T> | Refusal> {
  if (once === undefined) return steps.make();
  const use = { principal: `${org}/${id}`, key: once.key, bodySha256: once.askedSha256, nowMs };
  const before = await findIdempotentUse(tx, use);
  if (before?.kind === 'other_body') return other('This Idempotency-Key came with another body, or with another token');
  if (before !== undefined) {
    const made = await steps.find(before.madeId);
    return made === undefined ? other('What was made with this Idempotency-Key has been deleted since') : { made };
  }
  const outcome = await steps.make();
  if ('id' in outcome) await insertIdempotentUse(tx, use, outcome.id);
  return outcome;
}

/** @throws {MusterError} the code of the refusal, when it is one */
export function madeOf<T>(outcome: Made<T> | Refusal): T {
  if ('refused' in outcome) throw new MusterError(outcome.refused, outcome.detail);
  return outcome.made;
}

function other(detail: string): Refusal {
  return { refused: 'idempotency_conflict', detail };
}
