import { isMusterError } from '../../protocol/errors.js';
import type { StreamName } from '../../protocol/messages/output.js';
import type { OutputCapture, PieceRange } from '../actions/output-capture.js';
import { pieceLimit, type Speaker, toOutput } from './to-result.js';

/** How often new output is looked for while an action runs. */
const LOOK_MS = 250;
/** After so many pieces only full ones are cut while it runs: a result has a bounded number of them. */
const SMALL_PIECES = 1_000;
/** So many messages of one execution await the broker at once; each of them is a copy of its bytes. */
const WINDOW = 4;

const MAX_CHARACTER_BYTES = 4;

const STREAMS: readonly StreamName[] = ['stdout', 'stderr'];

/** The output messages of one execution. Only their places are kept; the bytes stay in the capture. */
export type OutputMessages = Readonly<{
  count: () => number;
  /** Their payloads by seq, from this one (0) on, made anew for each reader. */
  payloads: (fromSeq?: number) => Generator<Buffer>;
  /** The action has ended: cuts the rest, so that `count` is final. `isWanted`: also if it was not published live. */
  finish: (isWanted: boolean) => void;
  /** After `finish`: resolves when all are sent, at the first that does not get through, or when the signal fires. */
  sent: (signal: AbortSignal) => Promise<void>;
}>;

/** How many messages the output of one execution can take at most, when each stream keeps `maxOutputBytes`. */
export function mostChunks(limits: Readonly<{ maxOutputBytes: number; maxPacketBytes: number }>): number {
  const leastBytes = pieceLimit(limits.maxPacketBytes) - MAX_CHARACTER_BYTES + 1; // a character is never cut
  return SMALL_PIECES + STREAMS.length * (Math.ceil(limits.maxOutputBytes / leastBytes) + 1);
}

/**
 * Cuts output into messages and publishes them, while the action runs if `isLive`. `publish` resolves when the broker
 * has the message; what the link drops is asked for again with `resend`, so a failure there is nobody's.
 */
export function startOutputMessages({
  executionId,
  capture,
  speaker,
  publish,
  isLive,
}: {
  executionId: string;
  capture: OutputCapture;
  speaker: Speaker;
  publish: (payload: Buffer) => Promise<void>;
  isLive: boolean;
}): OutputMessages {
  const ranges: PieceRange[] = [];
  const offsets = { stdout: 0, stderr: 0 };
  let next = 0;
  let underWay = 0;
  let hasEnded = false;
  let isStopped = false;
  let settle: () => void = () => undefined;
  const timer = isLive ? setInterval(pump, LOOK_MS) : undefined;

  function cut(stream: StreamName): PieceRange | undefined {
    const isFull = capture.size(stream) - offsets[stream] >= capture.maxPieceBytes;
    if (!hasEnded && !isFull && ranges.length >= SMALL_PIECES) return undefined;
    const range = capture.cut(stream, offsets[stream], hasEnded);
    if (range === undefined) return undefined;
    offsets[stream] = range.end;
    ranges.push(range);
    return range;
  }

  function cutNext(): PieceRange | undefined {
    if (hasEnded) return undefined; // then everything is cut
    for (const stream of STREAMS) {
      const range = cut(stream);
      if (range !== undefined) return range;
    }
    return undefined;
  }

  function toPayload(range: PieceRange, seq: number): Buffer {
    return Buffer.from(JSON.stringify(toOutput(capture.piece(range), { executionId, seq, speaker })));
  }

  function pump(): void {
    while (!isStopped && underWay < WINDOW) {
      const range = ranges[next] ?? cutNext();
      if (range === undefined) break;
      underWay += 1;
      void send(toPayload(range, next));
      next += 1;
    }
    if (underWay === 0) settle();
  }

  async function send(payload: Buffer): Promise<void> {
    try {
      await publish(payload);
    } catch (error) {
      if (!isMusterError(error)) throw error;
      if (hasEnded) isStopped = true;
    }
    underWay -= 1;
    pump();
  }

  return {
    count: () => ranges.length,
    *payloads(fromSeq = 0) {
      const until = ranges.length; // what comes meanwhile is published by itself
      for (let seq = fromSeq; seq < until; seq += 1) {
        const range = ranges[seq];
        if (range !== undefined) yield toPayload(range, seq);
      }
    },
    finish(isWanted) {
      clearInterval(timer);
      hasEnded = true;
      if (!isLive && !isWanted) return;
      for (const stream of STREAMS) {
        if (!isLive && capture.size(stream) === 0) continue;
        while (cut(stream)?.last === false);
      }
    },
    async sent(signal) {
      const stop = (): void => {
        isStopped = true;
        settle();
      };
      await new Promise<void>((over) => {
        settle = over;
        signal.addEventListener('abort', stop, { once: true });
        if (signal.aborted) stop();
        else pump();
      });
      signal.removeEventListener('abort', stop);
    },
  };
}
