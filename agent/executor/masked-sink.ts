import type { StreamName } from '../../protocol/messages/output.js';
import type { Mask } from '../../runtime/masking/mask.js';
import type { MaskingStream } from '../../runtime/masking/stream.js';
import type { OutputSink } from '../actions/action.js';

/** Where an action prints to until it is closed: what an action that was given up still prints is no part of its result. */
export type MaskedSink = OutputSink & Readonly<{ close: () => void }>;

/**
 * Masks what an action prints before anything keeps, counts or publishes it: limits, lengths and hashes are those of
 * what is left. Each stream is masked across the pieces that it is printed in.
 */
export function createMaskedSink(to: OutputSink, mask: Mask): MaskedSink {
  const streams = new Map<StreamName, MaskingStream>();
  let isOpen = true;

  function streamOf(name: StreamName): MaskingStream | undefined {
    const stream = streams.get(name) ?? mask.stream();
    if (stream !== undefined) streams.set(name, stream);
    return stream;
  }

  function end(): void {
    for (const [name, stream] of streams) pass(name, stream.end());
    streams.clear();
  }

  function pass(name: StreamName, octets: Uint8Array | string): void {
    if (octets.length > 0) to.write(name, octets);
  }

  return {
    write(name, octets) {
      if (!isOpen) return;
      const stream = streamOf(name);
      pass(name, stream === undefined ? octets : stream.push(toBuffer(octets)));
    },
    leaveOff() {
      if (!isOpen) return;
      end();
      to.leaveOff?.();
    },
    close() {
      if (isOpen) end();
      isOpen = false;
    },
  };
}

function toBuffer(octets: Uint8Array | string): Buffer {
  return typeof octets === 'string'
    ? Buffer.from(octets)
    : Buffer.from(octets.buffer, octets.byteOffset, octets.length);
}
