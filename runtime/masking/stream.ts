import type { Automaton } from './automaton.js';

/** Stands where a registered value stood. */
export const REDACTED = '[redacted]';

const MARK = Buffer.from(REDACTED);
const NOTHING = Buffer.alloc(0);

/** What a stream keeps between two pieces: octets that may begin a value, and how many of them are masked already. */
export type Held = Readonly<{ octets: Buffer; hidden: number }>;

/** Masks octets that come in pieces, wherever they were cut. */
export type MaskingStream = Readonly<{
  /** What is certain by now. Of the rest, which may begin a value, never more is kept than the longest spelling has octets. */
  push: (octets: Buffer) => Buffer;
  /** The rest: nothing comes after it. What was cut off in the midst of a value is masked when that much of it is there, unless it is known to be `whole`. */
  end: (what?: Readonly<{ whole: boolean }>) => Buffer;
  held: () => Held;
}>;

/** Octets from one place to another that are masked; `isTold` when the mark for them has been given. */
type Interval = { start: number; end: number; isTold: boolean };

/** `before` is what another stream held that this one goes on with. */
export function createMaskingStream(
  automaton: Automaton,
  before: Held = { octets: NOTHING, hidden: 0 },
): MaskingStream {
  let held = before.octets;
  /** In order, without overlaps; places count from the first octet held. */
  let masked: Interval[] = before.hidden > 0 ? [{ start: 0, end: before.hidden, isTold: true }] : [];
  let state = automaton.scan(held, 0, mask);

  /** The newest ends last; of those that overlap one mark is left. */
  function mask(start: number, end: number): void {
    let isTold = false;
    let last = masked.at(-1);
    while (last !== undefined && last.start >= start) {
      isTold ||= last.isTold;
      masked.pop();
      last = masked.at(-1);
    }
    if (last !== undefined && last.end > start) last.end = Math.max(end, last.end);
    else masked.push({ start, end, isTold });
  }

  /** Gives what no further octet can change. */
  function give(octets: Buffer, settled: number): Buffer {
    if (settled === octets.length && masked.length === 0) {
      held = NOTHING;
      return octets;
    }
    const parts: Buffer[] = [];
    let at = 0;
    for (const interval of masked) {
      if (interval.start >= settled) break;
      parts.push(octets.subarray(at, interval.start));
      if (!interval.isTold) parts.push(MARK);
      interval.isTold = true;
      at = Math.min(interval.end, settled);
    }
    parts.push(octets.subarray(at, settled));
    held = Buffer.from(octets.subarray(settled)); // a copy: the reader of a pipe uses its buffer again
    masked = masked
      .filter(({ end }) => end > settled)
      .map(({ start, end, isTold }) => ({ start: Math.max(0, start - settled), end: end - settled, isTold }));
    return Buffer.concat(parts);
  }

  return {
    push(octets) {
      const offset = held.length;
      state = automaton.scan(octets, state, (start, end) => mask(start + offset, end + offset));
      const all = offset === 0 ? octets : Buffer.concat([held, octets]);
      return give(all, all.length - automaton.depthOf(state));
    },
    end({ whole } = { whole: false }) {
      const telling = whole ? 0 : automaton.tellingOf(state);
      if (telling > 0) mask(held.length - telling, held.length);
      state = 0;
      return give(held, held.length);
    },
    held: () => ({ octets: held, hidden: masked[0]?.isTold === true ? masked[0].end : 0 }),
  };
}
