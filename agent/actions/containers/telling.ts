import type { Clock } from '../../../runtime/clock.js';
import type { ListedContainer } from './answers.js';
import { CONTAINERS_GAPS, createPace, STATES_GAPS } from './pace.js';

/** Containers that start and end make nobody look more often. It is short, since others may come meanwhile. */
const STATES_LOOK_MS = 500;

/** What of a list is other than what was told last: which containers there are and what they are called and labelled, or only what they do. */
export type Difference = 'containers' | 'states' | 'nothing';

export type TellingDeps = Readonly<{
  compare: (listed: readonly ListedContainer[]) => Difference;
  /** `isRestless`: more changes are expected, and are told of some seconds late. */
  tell: (listed: readonly ListedContainer[], isRestless: boolean) => void;
  clock: Clock;
}>;

/** What to do after a list was taken: look no sooner than `pauseMs`, and look in `againMs` even if nothing happens. */
export type Taken = Readonly<{ pauseMs: number; againMs?: number }>;

/**
 * Decides when what is listed is told. Which containers there are is told at once, and while there is no rest at most 5 s
 * late: then it is said beforehand that there may be some which are not told. What they do is told less and less often.
 */
export function createTelling({ compare, tell, clock }: TellingDeps): (listed: readonly ListedContainer[]) => Taken {
  const containersPace = createPace(clock, CONTAINERS_GAPS);
  const statesPace = createPace(clock, STATES_GAPS);
  let restsAtMs: number | undefined;
  let statesDueMs = Number.NEGATIVE_INFINITY;

  function ofContainers(listed: readonly ListedContainer[], nowMs: number): Taken {
    const gapMs = containersPace();
    const isRestless = gapMs > CONTAINERS_GAPS.leastMs;
    restsAtMs = isRestless ? nowMs + 2 * gapMs : undefined;
    tell(listed, isRestless);
    return isRestless ? { pauseMs: gapMs, againMs: 2 * gapMs } : { pauseMs: 0 };
  }

  return (listed) => {
    const nowMs = clock.monotonicMs();
    const difference = compare(listed);
    if (difference === 'containers') return ofContainers(listed, nowMs);
    const isRested = restsAtMs !== undefined && nowMs >= restsAtMs;
    if (isRested) restsAtMs = undefined;
    const isStateDue = difference === 'states' && nowMs >= statesDueMs;
    if (isRested || isStateDue) tell(listed, restsAtMs !== undefined);
    if (isStateDue) statesDueMs = nowMs + statesPace();
    const isHeld = difference === 'states' && !isRested && !isStateDue;
    const waits = [...(restsAtMs === undefined ? [] : [restsAtMs - nowMs]), ...(isHeld ? [statesDueMs - nowMs] : [])];
    return {
      pauseMs: difference === 'states' ? STATES_LOOK_MS : 0,
      ...(waits.length === 0 ? {} : { againMs: Math.min(...waits) }),
    };
  };
}
