import type { IsolationLimit } from '../../../agent/actions-config.js';
import { holdsEverything } from './isolations.js';
import type { Ask } from './load.js';

/**
 * One of the things that can go right or wrong with a hook, chosen at random. About a third of them take a while.
 * `isolation`: what it leaves behind may try to get away from this one; absent means from a process group.
 */
export function randomAsk(random: () => number, label: string, isolation: IsolationLimit = 'process_group'): Ask {
  const leaves = holdsEverything(isolation) && random() < 0.5 ? 'cleared' : 'session';
  const kinds: readonly (() => Ask)[] = [
    () => ({}),
    () => ({ deed: { exitCode: 1 + Math.floor(random() * 120), bytes: Math.floor(random() * 3_000) } }),
    () => ({ deed: { ms: Math.floor(random() * 400), bytes: 100 } }),
    () => ({ deed: { ms: 300, leaves } }),
    () => ({ deed: { bytes: 65_000 + Math.floor(random() * 100_000) } }),
    () => ({ deed: { ms: Math.floor(random() * 1_500), bytes: 5_000 }, stream: true }),
    () => ({ deed: { ms: 20_000, bytes: 10 }, timeout: '4s' }),
    () => ({ deed: { showsEnvironment: true } }),
    () => ({ deed: { ms: 100, exitCode: 3, leaves }, expiresIn: '10s' }),
  ];
  const kind = kinds[Math.floor(random() * kinds.length)] ?? (() => ({}));
  return { ...kind(), label };
}

/** Each ask of so many is to be cancelled. */
const CANCEL_EVERY = 4;
/** Longer than a cancel may take to be obeyed, so that one that is forgotten is noticed. */
const CANCELLED_DEED = { deed: { ms: 90_000, bytes: 200 }, timeout: '2m' };

/**
 * Of the asks that it is given each fourth is to be cancelled, in turn in the middle of it, at once, in the middle
 * again, and when it is probably over; so a run of any length cancels what runs.
 */
export function cancelSome(random: () => number): (ask: Ask) => Ask {
  const inTheMiddle = (ask: Ask): Ask => ({ ...ask, ...CANCELLED_DEED, cancelAfterMs: 200 + random() * 800 });
  const turns: readonly ((ask: Ask) => Ask)[] = [
    inTheMiddle,
    (ask) => ({ ...ask, cancelAfterMs: 0 }),
    inTheMiddle,
    (ask) => ({ ...ask, cancelAfterMs: 1_000 + random() * 1_000 }),
  ];
  let asks = 0;
  return (ask) => {
    asks += 1;
    if (asks % CANCEL_EVERY !== 0) return ask;
    const turn = turns[(asks / CANCEL_EVERY - 1) % turns.length];
    return turn === undefined ? ask : turn(ask);
  };
}
