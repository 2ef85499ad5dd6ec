/** Before the password is checked nobody may send a larger packet: a CONNECT with Will and password fits well. */
export const UNAUTHENTICATED_PACKET_BYTES = 4096;

/** Watches the lengths that a client announces, ahead of the parser, which would buffer whatever is announced. */
export type SizeGuard = {
  /** The largest packet without its fixed header, in bytes. */
  maxPacketBytes: number;
  /** False once a packet in this chunk is announced as too large or its length is malformed [MQTT-2.2.3]. */
  admits: (chunk: Uint8Array) => boolean;
};

const MAX_LENGTH_SHIFT = 21;

/** A guard at the start of a connection. It looks at the fixed headers alone and skips the bodies. */
export function createSizeGuard(): SizeGuard {
  let bodyBytesLeft = 0;
  let inLength = false;
  let length = 0;
  let shift = 0;
  const guard: SizeGuard = {
    maxPacketBytes: UNAUTHENTICATED_PACKET_BYTES,
    admits(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (bodyBytesLeft > 0) {
          const skipped = Math.min(bodyBytesLeft, chunk.length - at);
          bodyBytesLeft -= skipped;
          at += skipped;
        } else if (!inLength) {
          inLength = true;
          length = 0;
          shift = 0;
          at += 1;
        } else {
          const byte = chunk[at] ?? 0;
          at += 1;
          length |= (byte & 0x7f) << shift;
          if (length > guard.maxPacketBytes) return false;
          if (byte < 0x80) {
            inLength = false;
            bodyBytesLeft = length;
          } else if (shift === MAX_LENGTH_SHIFT) return false;
          shift += 7;
        }
      }
      return true;
    },
  };
  return guard;
}
