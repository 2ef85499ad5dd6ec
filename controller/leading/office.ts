import { setMaxListeners } from 'node:events';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Leader } from '../http/forward.js';
import { type Claim, LEASE_MS, type Lease } from '../store/lease.js';

/** The right to lead for one term. */
export type Grant = Readonly<{
  /** The number of the term, by which the store tells it from others. */
  fence: number;
  /** True while nobody else can lead. It ends by itself when the lease is not renewed, also in a process that froze. */
  holds: () => boolean;
}>;

/** Begins to lead; the returned function ends it. */
export type BeginTerm = (grant: Grant) => Promise<() => Promise<void>>;

/** The part of a controller that decides whether it leads. */
export type Office = Readonly<{
  readonly isLeading: boolean;
  /** Who leads, when it is another one. */
  leader: () => Leader | undefined;
  /** Ends the term, and begins a new one when nobody else did: what is in memory may differ from the store. */
  resign: (why: string) => void;
  /** Ends the term in order and lets another controller begin at once. */
  stop: () => Promise<void>;
}>;

const CLAIM_MS = 1_000;
/** One that could not begin leaves the lease to others for so long: what hinders it may not hinder them. */
const REST_MS = 3_000;

type Held = Readonly<{ fence: number; sinceMs: number; sinceWallMs: number }>;

/**
 * Claims the lease each second, and leads while it has it. Resolves after the first claim, with the term begun when it
 * was granted.
 * @throws {MusterError} storage_failed; and whatever `begin` throws
 */
export async function startOffice(deps: {
  lease: Lease;
  begin: BeginTerm;
  clock: Clock;
  log: Logger;
}): Promise<Office> {
  const { lease, begin, clock, log } = deps;
  const elsewhere = createElsewhere();
  let held: Held | undefined;
  let term: Readonly<{ fence: number; end: () => Promise<void> }> | undefined;
  let settling: Promise<void> | undefined;
  let claiming: Promise<void> | undefined;
  let restsUntilMs = 0;
  let stopped = false;

  const isResting = (): boolean => clock.monotonicMs() < restsUntilMs;
  /** By both clocks: the monotonic one stands still in a suspended machine, and the other one may be set. */
  const isValid = ({ sinceMs, sinceWallMs }: Held): boolean =>
    clock.monotonicMs() - sinceMs < LEASE_MS && Math.abs(clock.nowMs() - sinceWallMs) < LEASE_MS;
  const holds = (fence: number): boolean => !stopped && held?.fence === fence && isValid(held);

  async function claim(): Promise<void> {
    const since = { sinceMs: clock.monotonicMs(), sinceWallMs: clock.nowMs() };
    take(await lease.claim({ lookOnly: isResting() }), since);
  }

  function take(claimed: Claim, since: Omit<Held, 'fence'>): void {
    held = claimed.kind === 'leader' ? { fence: claimed.fence, ...since } : undefined;
    elsewhere.set(claimed.kind === 'standby' ? claimed.address : undefined);
  }

  /** Makes what runs fit what is held, one step after the other. */
  async function settle(): Promise<void> {
    if (term !== undefined && !holds(term.fence)) {
      const { end, fence } = term;
      term = undefined;
      log.warn({ fence }, 'leads no longer');
      await end();
    }
    if (stopped || term !== undefined || held === undefined || !isValid(held) || isResting()) return;
    const { fence } = held;
    try {
      const end = await begin({ fence, holds: () => holds(fence) });
      term = { fence, end };
      log.info({ fence }, 'leads');
    } catch (error) {
      held = undefined;
      restsUntilMs = clock.monotonicMs() + REST_MS;
      await lease.release();
      throw error;
    }
  }

  function settleSoon(): void {
    settling ??= settle()
      .catch((err: unknown) => log.error({ err }, 'cannot lead'))
      .finally(() => {
        settling = undefined;
      });
  }

  function turn(): void {
    settleSoon(); // first: a process that wakes from a freeze must not act before it has looked at the time
    claiming ??= claim()
      .then(settleSoon)
      .catch((err: unknown) => {
        log.warn({ err }, 'lease not renewed');
        if (held === undefined) elsewhere.set(undefined);
      })
      .finally(() => {
        claiming = undefined;
      });
  }

  await claim();
  await settle();
  const timer = setInterval(turn, CLAIM_MS);
  return {
    get isLeading() {
      return term !== undefined && holds(term.fence);
    },
    leader: elsewhere.get,
    resign(why) {
      if (stopped || held === undefined) return;
      log.warn({ why }, 'term ends');
      held = undefined;
      lease.forget();
      settleSoon();
    },
    async stop() {
      clearInterval(timer);
      await claiming;
      await settling;
      await term?.end();
      stopped = true;
      elsewhere.set(undefined);
      await lease.stop();
    },
  };
}

/** Who leads elsewhere; what was begun with one that leads no longer is given up. */
function createElsewhere(): { get: () => Leader | undefined; set: (address: string | undefined) => void } {
  let current: { leader: Leader; ends: AbortController } | undefined;
  return {
    get: () => current?.leader,
    set(address) {
      if (current?.leader.address === address) return;
      current?.ends.abort();
      const ends = new AbortController();
      setMaxListeners(0, ends.signal); // one for each request under way
      current = address === undefined ? undefined : { leader: { address, signal: ends.signal }, ends };
    },
  };
}
