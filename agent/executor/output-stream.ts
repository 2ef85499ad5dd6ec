import { MAX_CHUNK_BYTES, type StreamName } from '../../protocol/messages/output.js';
import { decodedLength, type OutputCapture } from '../actions/output-capture.js';
import { type Speaker, toOutput } from './to-result.js';

/** How often output is published while an action runs. */
const STREAM_INTERVAL_MS = 250;
/** After so many pieces only full ones go out while it runs: a result has a bounded number of them. */
const SMALL_PIECES = 1_000;

/** The output messages of one execution, by seq. */
export type OutputStream = Readonly<{
  payloads: readonly Buffer[];
  /** Publishes what is left, the last pieces included, and stops. */
  finish: () => void;
}>;

/** Publishes output as it comes. What the link drops is asked for again, so a failure here is nobody's. */
export function startOutputStream({
  executionId,
  capture,
  speaker,
  publish,
}: {
  executionId: string;
  capture: OutputCapture;
  speaker: Speaker;
  publish: (payload: Buffer) => void;
}): OutputStream {
  const payloads: Buffer[] = [];
  const offsets = { stdout: 0, stderr: 0 };
  const send = (stream: StreamName, ended: boolean): void => {
    for (;;) {
      const isMature = ended || payloads.length < SMALL_PIECES || hasFullPiece(stream);
      const piece = isMature ? capture.pieceAt(stream, offsets[stream], ended) : undefined;
      if (piece === undefined) return;
      const payload = Buffer.from(JSON.stringify(toOutput(piece, { executionId, seq: payloads.length, speaker })));
      payloads.push(payload);
      publish(payload);
      offsets[stream] += decodedLength(piece);
      if (piece.last) return;
    }
  };
  const hasFullPiece = (stream: StreamName): boolean =>
    capture.summary(stream).bytes - offsets[stream] >= MAX_CHUNK_BYTES;
  const timer = setInterval(() => {
    send('stdout', false);
    send('stderr', false);
  }, STREAM_INTERVAL_MS);
  return {
    payloads,
    finish() {
      clearInterval(timer);
      send('stdout', true);
      send('stderr', true);
    },
  };
}

/** All output messages of an execution that was not streamed. */
export function outputPayloads(executionId: string, capture: OutputCapture, speaker: Speaker): Buffer[] {
  return [...capture.chunks()].map((piece, seq) =>
    Buffer.from(JSON.stringify(toOutput(piece, { executionId, seq, speaker }))),
  );
}
