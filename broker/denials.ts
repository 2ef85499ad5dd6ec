import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { BrokerDenial, BrokerMetrics } from './metrics.js';

const WINDOW_MS = 60_000;

/** Notes that something was refused; `about` says to whom, never what it carried. */
export type NoteDenial = (reason: BrokerDenial, about: Readonly<Record<string, unknown>>) => void;

/** Counts every denial and logs at most one line per reason and minute, so that a flood does not fill the disk. */
export function createDenials({
  log,
  clock,
  metrics,
}: {
  log: Logger;
  clock: Clock;
  metrics: BrokerMetrics;
}): NoteDenial {
  /** When each reason was last logged, and how often it was not since. */
  const seen = new Map<BrokerDenial, { sinceMs: number; unlogged: number }>();
  return (reason, about) => {
    metrics.countDenied(reason);
    const nowMs = clock.monotonicMs();
    const last = seen.get(reason);
    if (last !== undefined && nowMs - last.sinceMs < WINDOW_MS) {
      last.unlogged += 1;
      return;
    }
    log.warn({ reason, unlogged: last?.unlogged ?? 0, ...about }, 'denied');
    seen.set(reason, { sinceMs: nowMs, unlogged: 0 });
  };
}
