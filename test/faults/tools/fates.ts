import type { Direction } from './message-lane.js';

/** A PUBLISH as it passes the proxy. `clientId` is that of the client of the connection. */
export type SeenMessage = Readonly<{ direction: Direction; clientId: string; topic: string; payload: Buffer }>;

/** What becomes of one PUBLISH. */
export type Fate = Readonly<{
  /**
   * One delivery after each of these many milliseconds. None: it is acknowledged and lost. Two: it comes twice. What
   * waits is overtaken by what comes after it.
   */
  deliverAfterMs: readonly number[];
  /** So many older messages of this client and direction come again before it, perhaps from an earlier connection. */
  replays: number;
  /** `cut`: torn in the middle of this packet. `frozen`: from now on nothing passes, and no end is told. */
  link: 'stays' | 'cut' | 'frozen';
}>;

/** How often, from 0 to 1, each fault befalls a message. */
export type FaultRates = Readonly<{
  lose: number;
  repeat: number;
  /** Held back for up to half a second, so that others overtake it. */
  overtake: number;
  /** Held back for up to `longestMs`. */
  delay: number;
  replay: number;
  cut: number;
  freeze: number;
  longestMs: number;
}>;

export const UNHARMED: Fate = { deliverAfterMs: [0], replays: 0, link: 'stays' };

const OVERTAKEN_MS = 500;
const MAX_REPLAYS = 3;

/** Draws fates at these rates. The same `random` gives the same faults for the same messages. */
export function drawFates(random: () => number, rates: FaultRates): (message: SeenMessage) => Fate {
  const happens = (rate: number): boolean => random() < rate;
  return () => {
    const replays = happens(rates.replay) ? 1 + Math.floor(random() * MAX_REPLAYS) : 0;
    const link = happens(rates.cut) ? 'cut' : happens(rates.freeze) ? 'frozen' : 'stays';
    if (happens(rates.lose)) return { deliverAfterMs: [], replays, link };
    const afterMs = happens(rates.overtake)
      ? random() * OVERTAKEN_MS
      : happens(rates.delay)
        ? random() * rates.longestMs
        : 0;
    const again = happens(rates.repeat) ? [afterMs + random() * OVERTAKEN_MS] : [];
    return { deliverAfterMs: [afterMs, ...again], replays, link };
  };
}
