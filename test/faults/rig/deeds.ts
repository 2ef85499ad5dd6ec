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
    () => ({ deed: { ms: 20_000, bytes: 10 }, timeout: '1s' }),
    () => ({ deed: { showsEnvironment: true } }),
    () => ({ deed: { ms: 100, exitCode: 3, leaves }, expiresIn: '10s' }),
  ];
  const kind = kinds[Math.floor(random() * kinds.length)] ?? (() => ({}));
  return { ...kind(), label };
}
