import { randomUUID } from 'node:crypto';
import { spreadBackoffMs } from '../../runtime/backoff.js';
import { elapsedMs, type Moment, takeMoment, type WakefulClock } from '../../runtime/clock.js';

/** Until its welcome a hello is said again after 1 s, doubling to 30 s. */
const REPEAT_BASE_MS = 1_000;
const REPEAT_CAP_MS = 30_000;
/** A welcome counts only this long after its hello. */
const ANSWER_MS = 10_000;
const DRIFT_CHECK_MS = 5_000;
/** A doubt about the time is asked about at most this often: whoever repeats old messages must not make us talk. */
const DOUBT_MS = 60_000;
/** When wall and monotonic clock part by more than this, somebody has set the clock. */
const DRIFT_MS = 5_000;

/** Says hello on every connect, until it is welcomed, at an interval, and when the clock was set. */
export type Greeting = Readonly<{
  connected: () => void;
  disconnected: () => void;
  /** Says hello at once: the controller asked for it. */
  again: () => void;
  /** Says hello at once, at most once a minute: the time of the last welcome may not be the controller's any more. */
  doubt: () => void;
  /** Says hello again in a while: its welcome could not be taken. */
  later: () => void;
  /** True once for the nonce of a hello of the last 10 s: its welcome may be believed. */
  answers: (nonce: string) => boolean;
  stop: () => void;
}>;

/** `say` publishes a hello with this nonce. */
export function createGreeting({
  say,
  intervalMs,
  clock,
  random,
}: {
  say: (nonce: string) => void;
  intervalMs: number;
  clock: WakefulClock;
  random: () => number;
}): Greeting {
  let timer: NodeJS.Timeout | undefined;
  let attempts = 0;
  /** The nonce of each hello without a welcome, and when it was said. */
  const open = new Map<string, Moment>();
  let gapMs = clock.nowMs() - clock.monotonicMs();
  let isConnected = false;
  let doubtedMs = Number.NEGATIVE_INFINITY;

  function hello(): void {
    clearTimeout(timer);
    for (const [nonce, said] of open) if (elapsedMs(clock, said) > ANSWER_MS) open.delete(nonce);
    const nonce = randomUUID();
    open.set(nonce, takeMoment(clock));
    say(nonce);
    timer = setTimeout(hello, spreadBackoffMs(attempts, { baseMs: REPEAT_BASE_MS, capMs: REPEAT_CAP_MS, random }));
    attempts += 1;
  }

  function again(): void {
    if (!isConnected) return;
    attempts = 0;
    hello();
  }

  const driftTimer = setInterval(() => {
    const nowGapMs = clock.nowMs() - clock.monotonicMs();
    const parted = Math.abs(nowGapMs - gapMs) > DRIFT_MS;
    if (!parted) return;
    gapMs = nowGapMs;
    again();
  }, DRIFT_CHECK_MS);
  driftTimer.unref();

  return {
    connected() {
      isConnected = true;
      again();
    },
    disconnected() {
      isConnected = false;
      open.clear();
      clearTimeout(timer);
    },
    again,
    doubt() {
      if (clock.monotonicMs() - doubtedMs < DOUBT_MS) return;
      doubtedMs = clock.monotonicMs();
      again();
    },
    later() {
      clearTimeout(timer);
      timer = setTimeout(again, REPEAT_CAP_MS);
    },
    answers(nonce) {
      const said = open.get(nonce);
      if (said === undefined || elapsedMs(clock, said) > ANSWER_MS) return false;
      open.clear();
      attempts = 0;
      clearTimeout(timer);
      timer = setTimeout(again, intervalMs);
      return true;
    },
    stop() {
      clearTimeout(timer);
      clearInterval(driftTimer);
    },
  };
}
