import { spreadBackoffMs } from '../../runtime/backoff.js';

/** At most this many offers to one node wait for their ack. */
export const MAX_UNACKED = 10;

/** First and longest wait before the same offer goes out again. */
export const OFFER_BACKOFF = { baseMs: 1_000, capMs: 30_000 } as const;

/** After so many acceptances in a row a node that was full is tried with the whole window again. */
const PROBE_AFTER = 16;

/**
 * How fast one node is offered work. A node that says it is full gets one offer for each result that frees a slot, so
 * that a long queue is not refused over and over; one that cannot take work at all is left alone with back-off.
 */
export type Lane = Readonly<{
  /** How many may be offered now, when so many wait for their ack. */
  room: (unacked: number, nowMs: number) => number;
  offered: (nowMs: number) => void;
  accepted: () => void;
  /** A passing rejection. */
  refused: (nowMs: number) => void;
  /** A result freed a slot. */
  freed: () => void;
}>;

/** A lane for one connection of a node; times are monotonic milliseconds. */
export function createLane(random: () => number): Lane {
  let full = false;
  let credits = 0;
  let blockedUntilMs = 0;
  let refusals = 0;
  let acceptedInRow = 0;

  return {
    room(unacked, nowMs) {
      if (!full) return Math.max(0, MAX_UNACKED - unacked);
      const credit = credits === 0 && nowMs >= blockedUntilMs ? 1 : credits;
      return Math.min(credit, Math.max(0, MAX_UNACKED - unacked));
    },
    offered(nowMs) {
      if (!full) return;
      credits = Math.max(0, credits - 1);
      if (credits === 0) blockedUntilMs = nowMs + spreadBackoffMs(refusals, { ...OFFER_BACKOFF, random });
    },
    accepted() {
      refusals = 0;
      acceptedInRow += 1;
      if (full && acceptedInRow >= PROBE_AFTER) full = false;
    },
    refused(nowMs) {
      full = true;
      credits = 0;
      acceptedInRow = 0;
      blockedUntilMs = nowMs + spreadBackoffMs(refusals, { ...OFFER_BACKOFF, random });
      refusals += 1;
    },
    freed() {
      if (full) credits = Math.min(MAX_UNACKED, credits + 1);
    },
  };
}
