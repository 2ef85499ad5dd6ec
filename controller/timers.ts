import type { Logger } from '../runtime/logger.js';
import type { Core } from './core.js';

const TICK_MS = 500;
const SWEEP_MS = 1_000;
const TIDY_MS = 3600 * 1000;

/** Runs what the core does by the clock until the returned function is called. */
export function startTimers({ tick, sweep, tidy }: Pick<Core, 'tick' | 'sweep' | 'tidy'>, log: Logger): () => void {
  let sweeping = false;
  const timers = [
    setInterval(tick, TICK_MS),
    setInterval(() => {
      if (sweeping) return;
      sweeping = true;
      sweep()
        .catch((err: unknown) => log.error({ err }, 'sweep failed'))
        .finally(() => {
          sweeping = false;
        });
    }, SWEEP_MS),
    setInterval(() => {
      tidy().catch((err: unknown) => log.error({ err }, 'tidying failed'));
    }, TIDY_MS),
  ];
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
