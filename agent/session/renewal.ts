import type { SigningKey } from '../../protocol/envelope.js';
import { isMusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { IdentityFile } from '../identity.js';
import { renewPassword } from '../renew.js';

/** After this many connects in a row that came to nothing, the password may be why. */
const FAILURES = 3;
/** The controller is asked at most once in this time. */
const PAUSE_MS = 60_000;

/**
 * Gets a new broker password over HTTP when the broker lets the node in no more: a node that was away for a week has
 * one that has expired. Judged by the failures alone, since the clock of such a node may be wrong.
 */
export type Renewal = Readonly<{
  /** A connect begins. */
  connecting: () => void;
  connected: () => void;
  stop: () => void;
}>;

/** A renewal that has seen no connect. */
export function createRenewal({
  identity,
  signing,
  clock,
  log,
}: {
  identity: IdentityFile;
  signing: SigningKey;
  clock: Clock;
  log: Logger;
}): Renewal {
  const stopped = new AbortController();
  let failures = -1;
  let askedMs = Number.NEGATIVE_INFINITY;

  async function renew(url: string): Promise<void> {
    const { org, node } = identity.current;
    try {
      const password = await renewPassword({ url, org, node, signing, signal: stopped.signal });
      if (stopped.signal.aborted) return;
      identity.update({ password });
      log.info('broker password renewed');
    } catch (error) {
      if (!isMusterError(error)) throw error;
      log.debug({ error: error.message }, 'broker password not renewed');
    }
  }

  return {
    connecting() {
      failures += 1;
      const { controller_url: url } = identity.current;
      const nowMs = clock.monotonicMs();
      if (url === undefined || failures < FAILURES || nowMs - askedMs < PAUSE_MS) return;
      askedMs = nowMs;
      void renew(url);
    },
    connected() {
      failures = -1;
    },
    stop: () => stopped.abort(),
  };
}
