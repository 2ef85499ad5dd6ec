import { isUtf8 } from 'node:buffer';
import { type Encoding, MAX_CHUNK_BYTES, type StreamName } from '../../protocol/messages/output.js';
import { MAX_INLINE_BYTES } from '../../protocol/messages/result.js';
import type { OutputSink } from './action.js';
import { createByteStore } from './byte-store.js';
import { brokenHead, incompleteTail } from './utf8.js';

/** Stands between head and tail of output that is too long to be inline; the pieces carry all of it. */
export const CUT_MARK = '\n...[truncated]\n';

/** Bytes as they go into a message: text, or base64 of what is not valid UTF-8 or would swell as JSON. */
export type EncodedBytes = Readonly<{ data: string; encoding: Encoding }>;

/** One part of a stream, at most `maxPieceBytes`, for a `muster-output` message. `offset` counts bytes. */
export type OutputPiece = EncodedBytes & Readonly<{ stream: StreamName; offset: number; last: boolean }>;

/** A part of a stream by its place: what a piece is made from, as often as it is needed. */
export type PieceRange = Readonly<{ stream: StreamName; offset: number; end: number; last: boolean }>;

/** What was kept of a stream: bytes, SHA-256 in hex, and whether more came than was kept. */
export type StreamSummary = Readonly<{ bytes: number; sha256: string; truncated: boolean }>;

/** What an execution printed, bounded for each stream. */
export type OutputCapture = OutputSink &
  Readonly<{
    /** No piece has more bytes. */
    maxPieceBytes: number;
    /** Bytes kept so far. */
    size: (stream: StreamName) => number;
    summary: (stream: StreamName) => StreamSummary;
    /** All of it, or head and tail around {@link CUT_MARK}, in at most `maxBytes` (64 KiB) before encoding. */
    inline: (stream: StreamName, maxBytes?: number) => EncodedBytes;
    /**
     * Where the piece ends that begins at this offset; undefined when there is nothing to send yet. While the execution runs
     * (`ended` false) an unfinished character waits for its rest. After the end the last piece may be empty.
     */
    cut: (stream: StreamName, offset: number, ended: boolean) => PieceRange | undefined;
    piece: (range: PieceRange) => OutputPiece;
  }>;

/**
 * Captures up to `maxBytes` of each stream and drops what comes after, so that a writer is never held up.
 * A piece has at most `maxPieceBytes`, at least 4.
 */
export function createOutputCapture({
  maxBytes,
  maxPieceBytes = MAX_CHUNK_BYTES,
}: {
  maxBytes: number;
  maxPieceBytes?: number;
}): OutputCapture {
  const stores = { stdout: createByteStore(maxBytes), stderr: createByteStore(maxBytes) };

  const cut = (stream: StreamName, offset: number, ended: boolean): PieceRange | undefined => {
    const store = stores[stream];
    const end = Math.min(offset + maxPieceBytes, store.size());
    if (ended && end === store.size()) return { stream, offset, end, last: true };
    const whole = end - incompleteTail(store.read(Math.max(offset, end - 3), end));
    return whole > offset ? { stream, offset, end: whole, last: false } : undefined;
  };

  return {
    maxPieceBytes,
    write(stream, bytes) {
      stores[stream].append(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
    },
    leaveOff() {
      stores.stdout.cut();
      stores.stderr.cut();
    },
    size: (stream) => stores[stream].size(),
    summary(stream) {
      const store = stores[stream];
      return { bytes: store.size(), sha256: store.sha256(), truncated: store.isTruncated() };
    },
    inline(stream, inlineBytes = MAX_INLINE_BYTES) {
      const store = stores[stream];
      const size = store.size();
      if (size <= inlineBytes) return encodeBytes(store.read(0, size), inlineBytes);
      const half = Math.max(0, Math.floor((inlineBytes - CUT_MARK.length) / 2));
      const head = store.read(0, half);
      const tail = store.read(size - half, size);
      const whole = head.subarray(0, head.length - incompleteTail(head));
      const bytes = Buffer.concat([whole, Buffer.from(CUT_MARK), tail.subarray(brokenHead(tail))]);
      return encodeBytes(bytes, inlineBytes + CUT_MARK.length);
    },
    cut,
    piece: ({ stream, offset, end, last }) => ({
      stream,
      offset,
      ...encodeBytes(stores[stream].read(offset, end), maxPieceBytes),
      last,
    }),
  };
}

/** How many bytes a piece stands for. */
export function decodedLength({ data, encoding }: EncodedBytes): number {
  return Buffer.byteLength(data, encoding === 'base64' ? 'base64' : 'utf8');
}

/**
 * Text, unless its escapes take more room in JSON than base64 of `maxBytes` would: a control character takes six bytes,
 * and the packet has room for base64.
 */
function encodeBytes(bytes: Buffer, maxBytes: number): EncodedBytes {
  if (isUtf8(bytes)) {
    const data = bytes.toString('utf8');
    if (Buffer.byteLength(JSON.stringify(data)) <= Math.ceil(maxBytes / 3) * 4) return { data, encoding: 'utf-8' };
  }
  return { data: bytes.toString('base64'), encoding: 'base64' };
}
