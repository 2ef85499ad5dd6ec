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
    () => ({ deed: { ms: 20_000, bytes: 10 }, timeout: '2s' }),
    () => ({ deed: { showsEnvironment: true } }),
    () => ({ deed: { ms: 100, exitCode: 3, leaves }, expiresIn: '10s' }),
  ];
  const kind = kinds[Math.floor(random() * kinds.length)] ?? (() => ({}));
  return { ...kind(), label };
}

/** Which share of the asks is to be cancelled. */
const CANCEL_SHARE = 1 / 4;
/** Longer than a cancel may take to be obeyed, so that one that is forgotten is noticed. */
const CANCELLED_DEED = { deed: { ms: 90_000, bytes: 200 }, timeout: '2m' };

/** The same ask, or now and then one that is cancelled: at once, in the middle of it, or when it is probably over. */
export function sometimesCancelled(random: () => number, ask: Ask): Ask {
  if (random() >= CANCEL_SHARE) return ask;
  const times: readonly (() => Ask)[] = [
    () => ({ ...ask, cancelAfterMs: 0 }),
    () => ({ ...ask, ...CANCELLED_DEED, cancelAfterMs: 200 + random() * 800 }),
    () => ({ ...ask, cancelAfterMs: 1_000 + random() * 1_000 }),
  ];
  const time = times[Math.floor(random() * times.length)] ?? (() => ask);
  return time();
}
