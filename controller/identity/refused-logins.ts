import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';

/** Told of each login that was refused; `user` when there is one of that name. */
export type OnRefusedLogin = (user: string | undefined) => void;

const WINDOW_MS = 60_000;

/**
 * Counts refused logins and logs at most one line in a minute. Of a name that nobody has nothing is logged: people type
 * passwords there.
 */
export function createRefusedLogins({
  log,
  clock,
  count,
}: {
  log: Logger;
  clock: Clock;
  count: () => void;
}): OnRefusedLogin {
  let quietUntilMs = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (user) => {
    count();
    const nowMs = clock.monotonicMs();
    if (nowMs < quietUntilMs) {
      unlogged += 1;
      return;
    }
    log.warn({ user, unlogged }, 'login refused');
    quietUntilMs = nowMs + WINDOW_MS;
    unlogged = 0;
  };
}
