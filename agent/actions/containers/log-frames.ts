import type { OutputSink } from '../action.js';
import { nonsense } from './failure.js';

const HEADER_BYTES = 8;
const STREAMS = ['stdout', 'stdout', 'stderr'] as const;

/** Takes a log as the engine sends it. */
export type LogReader = Readonly<{
  /** @throws {MusterError} engine_answer_invalid */
  take: (bytes: Buffer) => void;
  /** Nothing comes any more. @throws {MusterError} engine_answer_invalid when something is missing */
  end: () => void;
}>;

/**
 * Takes frames apart: a byte that names the stream (0 stdin, 1 stdout, 2 stderr), three zeros, the length of what follows
 * as 32 bits with the highest byte first. A frame is passed on as it comes, however long it says to be.
 */
export function createFrameReader(write: OutputSink['write']): LogReader {
  const header = Buffer.alloc(HEADER_BYTES);
  let headerBytes = 0;
  let stream: 'stdout' | 'stderr' = 'stdout';
  let leftBytes = 0;

  const readHeader = (): void => {
    const named = STREAMS[header[0] ?? STREAMS.length];
    if (named === undefined || header.readUIntBE(1, 3) !== 0) throw nonsense('its log is not in frames');
    [stream, leftBytes, headerBytes] = [named, header.readUInt32BE(4), 0];
  };
  return {
    take(bytes) {
      for (let at = 0; at < bytes.length; ) {
        if (leftBytes === 0) {
          const copied = bytes.copy(header, headerBytes, at, at + HEADER_BYTES - headerBytes);
          [headerBytes, at] = [headerBytes + copied, at + copied];
          if (headerBytes === HEADER_BYTES) readHeader();
          continue;
        }
        const part = bytes.subarray(at, at + leftBytes);
        write(stream, part);
        [leftBytes, at] = [leftBytes - part.length, at + part.length];
      }
    },
    end() {
      if (leftBytes > 0 || headerBytes > 0) throw nonsense('its log ends in the middle of a frame');
    },
  };
}

/** A container with a terminal has one stream, and no frames around it. */
export function createRawReader(write: OutputSink['write']): LogReader {
  return { take: (bytes) => write('stdout', bytes), end: () => undefined };
}
