import type { Clock } from '../runtime/clock.js';

/** Lets one client's messages through at a bounded pace, in their order. */
export type Throttle = Readonly<{
  /** Calls `go` at once while the client keeps to its rate, else when its turn has come. */
  pass: (go: () => void) => void;
  /** Forgets what still waits. */
  stop: () => void;
}>;

const BURST_SECONDS = 2;

/** For those who are not limited. */
export const NO_THROTTLE: Throttle = { pass: (go) => go(), stop: () => undefined };

/**
 * A token bucket that holds twice the rate. What waits is bounded by the caller: the MQTT library reads the next chunk
 * of a connection only when every message of the last one has passed, so a client that sends too fast is read slowly.
 */
export function createThrottle({ perSecond, clock }: { perSecond: number; clock: Clock }): Throttle {
  const capacity = perSecond * BURST_SECONDS;
  let tokens = capacity;
  let filledAtMs = clock.monotonicMs();
  let timer: NodeJS.Timeout | undefined;
  const waiting: (() => void)[] = [];

  function take(): boolean {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(capacity, tokens + ((nowMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  function release(): void {
    timer = undefined;
    while (waiting.length > 0 && take()) waiting.shift()?.();
    if (waiting.length > 0) timer = setTimeout(release, Math.ceil(1000 / perSecond));
  }

  return {
    pass(go) {
      if (waiting.length === 0 && take()) go();
      else {
        waiting.push(go);
        timer ??= setTimeout(release, Math.ceil(1000 / perSecond));
      }
    },
    stop() {
      clearTimeout(timer);
      waiting.length = 0;
    },
  };
}
