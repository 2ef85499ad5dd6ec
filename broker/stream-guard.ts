import type { Duplex } from 'node:stream';
import { createSizeGuard } from './size-guard.js';

/** The bounds of one connection's byte stream, which stand between the socket and the MQTT library. */
export type StreamGuard = {
  /** The largest packet that the client may send, in bytes. */
  allowPackets: (maxPacketBytes: number) => void;
  /**
   * From now on whoever publishes to this client never waits for it: up to so many bytes are kept for a client that
   * reads slowly, then it is disconnected. Without it, a full buffer holds the publishers back.
   */
  boundOutput: (maxOutBufferBytes: number) => void;
};

/**
 * Guards a stream by standing in front of its own `read` and `write`: a second stream between the two would copy and
 * queue every message once more.
 */
export function guardStream(
  stream: Duplex,
  { onViolation }: { onViolation: (reason: 'packet_size' | 'slow') => void },
): StreamGuard {
  const size = createSizeGuard();
  let maxOutBufferBytes: number | undefined;

  const read = stream.read;
  stream.read = (bytes) => {
    const chunk: unknown = read.call(stream, bytes);
    if (!Buffer.isBuffer(chunk) || size.admits(chunk)) return chunk;
    onViolation('packet_size');
    stream.destroy();
    return null;
  };

  const write = stream.write;
  stream.write = (...args: unknown[]) => {
    const flows: unknown = Reflect.apply(write, stream, args);
    if (maxOutBufferBytes === undefined) return flows === true;
    if (stream.writableLength > maxOutBufferBytes && !stream.destroyed) {
      onViolation('slow');
      stream.destroy();
    }
    return true;
  };

  return {
    allowPackets(maxPacketBytes) {
      size.maxPacketBytes = maxPacketBytes;
    },
    boundOutput(bytes) {
      maxOutBufferBytes = bytes;
    },
  };
}
