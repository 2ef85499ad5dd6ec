import { createHash } from 'node:crypto';
import { incompleteTail } from './utf8.js';

/** Blocks begin small, since most output is short, and double up to this. */
const FIRST_BLOCK_BYTES = 1024;
const MAX_BLOCK_BYTES = 64 * 1024;

/** The first `maxBytes` of a stream of bytes; what comes after is dropped. */
export type ByteStore = Readonly<{
  append: (bytes: Uint8Array) => void;
  /** What comes after is dropped, as if there were more. */
  cut: () => void;
  /** Bytes kept. */
  size: () => number;
  /** True once bytes were dropped. */
  isTruncated: () => boolean;
  /** A copy of the kept bytes from one offset to another. */
  read: (from: number, to: number) => Buffer;
  /** SHA-256 of the kept bytes, lower-case hex. */
  sha256: () => string;
}>;

/**
 * Keeps bytes in blocks of its own: a writer of many tiny pieces would otherwise cost a Buffer object for each.
 * Never holds more than `maxBytes` and one block.
 */
export function createByteStore(maxBytes: number): ByteStore {
  const blocks: Buffer[] = [];
  /** Bytes allocated, and of them in use. */
  let capacity = 0;
  let size = 0;
  let truncated = false;

  const eachPart = (from: number, to: number, use: (part: Buffer) => void): void => {
    let start = 0;
    for (const block of blocks) {
      const end = start + block.length;
      if (end > from && start < to) use(block.subarray(Math.max(0, from - start), Math.min(block.length, to - start)));
      start = end;
    }
  };
  const read = (from: number, to: number): Buffer => {
    const parts: Buffer[] = [];
    eachPart(from, Math.min(to, size), (part) => parts.push(part));
    return Buffer.concat(parts);
  };
  const keep = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) {
      if (size === capacity) {
        const doubled = Math.min(MAX_BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, capacity));
        const block = Buffer.allocUnsafeSlow(Math.min(doubled, maxBytes - size));
        blocks.push(block);
        capacity += block.length;
      }
      const last = blocks[blocks.length - 1] ?? Buffer.alloc(0);
      const part = bytes.subarray(done, done + capacity - size);
      last.set(part, last.length - (capacity - size));
      size += part.length;
      done += part.length;
    }
  };

  const cut = (): void => {
    if (truncated) return;
    truncated = true;
    size -= incompleteTail(read(Math.max(0, size - 3), size)); // the cut must not split a character
  };

  return {
    append(bytes) {
      if (truncated || bytes.length === 0) return;
      const room = maxBytes - size;
      keep(bytes.subarray(0, room));
      if (bytes.length > room) cut();
    },
    cut,
    size: () => size,
    isTruncated: () => truncated,
    read,
    sha256: () => {
      const hash = createHash('sha256');
      eachPart(0, size, (part) => hash.update(part));
      return hash.digest('hex');
    },
  };
}
