import { MusterError } from '../../protocol/errors.js';
import type { Principal } from '../services.js';
import type { Queries } from '../store/database.js';
import type { PolicyDocument } from './document.js';

/** An ask past a limit of the policy, and the seconds after which it may succeed. */
export type Excess = Readonly<{ code: 'rate_limited' | 'too_many_pending'; detail: string; retryAfterSeconds: number }>;

/** An ask past a limit, to be told to whoever asks. */
export class LimitReached extends MusterError {
  readonly retryAfterSeconds: number;

  constructor({ code, detail, retryAfterSeconds }: Excess) {
    super(code, detail);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const MINUTE_MS = 60_000;
/** A sandbox may have less by the policy, and never more. */
const SANDBOX_ASKS_PER_MINUTE = 60;
const SANDBOX_PENDING = 10;

/**
 * Why one more ask is past a limit; undefined when it is within. The stored invocations are the count, so that no
 * restart forgives any and all controllers on a store count together: in the transaction of the ask it is exact.
 */
export async function excessOf(
  queries: Queries,
  { limits }: PolicyDocument,
  { principal, waits, nowMs }: Readonly<{ principal: Principal; waits: boolean; nowMs: number }>,
): Promise<Excess | undefined> {
  const isSandbox = principal.role === 'sandbox';
  const perMinute = leastOf(limits.asks_per_minute, isSandbox ? SANDBOX_ASKS_PER_MINUTE : undefined);
  const tooFast =
    perMinute === undefined ? undefined : await excessOfAsks(queries, principal, { most: perMinute, nowMs });
  if (tooFast !== undefined || !waits) return tooFast;
  const pending = isSandbox ? Math.min(limits.pending_per_principal, SANDBOX_PENDING) : limits.pending_per_principal;
  return excessOfPending(queries, principal, { most: pending, nowMs });
}

function leastOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

type Limit = Readonly<{ most: number; nowMs: number }>;

/** Looks for the ask that has to become a minute old first; a clock that was far ahead forgives what it saw. */
async function excessOfAsks(queries: Queries, { org, id }: Principal, { most, nowMs }: Limit) {
  const last = await queries
    .selectFrom('invocations')
    .select('created_at')
    .where('org', '=', org)
    .where('created_by', '=', id)
    .where('created_at', '>', nowMs - MINUTE_MS)
    .where('created_at', '<=', nowMs + MINUTE_MS) // asks that began later may be stored before this one
    .orderBy('created_at', 'desc')
    .limit(1)
    .offset(most - 1)
    .executeTakeFirst();
  if (last === undefined) return undefined;
  const retryAfterSeconds = Math.max(Math.ceil((last.created_at + MINUTE_MS - nowMs) / 1000), 1);
  const detail = `You may ask ${most} times a minute: again in ${retryAfterSeconds} s`;
  return { code: 'rate_limited', detail, retryAfterSeconds } as const;
}

async function excessOfPending(queries: Queries, { org, id }: Principal, { most, nowMs }: Limit) {
  const waiting = await queries
    .selectFrom('invocations')
    .select('expires_at')
    .where('org', '=', org)
    .where('created_by', '=', id)
    .where('status', '=', 'pending')
    .where('expires_at', '>', nowMs)
    .orderBy('expires_at', 'desc')
    .limit(1)
    .offset(most - 1)
    .executeTakeFirst();
  if (waiting === undefined) return undefined;
  const retryAfterSeconds = Math.max(Math.ceil((waiting.expires_at - nowMs) / 1000), 1);
  const detail = `${most} of your asks wait for a person already`;
  return { code: 'too_many_pending', detail, retryAfterSeconds } as const;
}
