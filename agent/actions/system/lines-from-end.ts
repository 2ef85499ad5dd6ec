import type { FileHandle } from 'node:fs/promises';
import { incompleteTail } from '../utf8.js';

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** A line is cut to this many bytes. */
export const MAX_LINE_BYTES = 4096;

/** One line without its end; `isCut` when its rest was dropped. Bytes that are not UTF-8 became U+FFFD. */
export type TextLine = Readonly<{ text: string; isCut: boolean }>;

/**
 * Hands out the lines of a file, the last one first, until `take` gives false. Looks at most at the last
 * `maxScanBytes`. Tells whether it was stopped, came to the start of the file, or to its limit.
 */
export async function linesFromEnd(
  handle: FileHandle,
  { maxScanBytes, signal, take }: { maxScanBytes: number; signal: AbortSignal; take: (line: TextLine) => boolean },
): Promise<'stopped' | 'start' | 'limit'> {
  const { size } = await handle.stat();
  const least = Math.max(0, size - maxScanBytes);
  const line = createLine();
  let isLast = true;
  const hand = (): boolean => {
    const isEndOfFile = isLast && line.isEmpty();
    isLast = false;
    const text = line.take();
    return isEndOfFile || take(text);
  };
  for (let end = size; end > least; ) {
    signal.throwIfAborted();
    const start = Math.max(least, end - BLOCK_BYTES);
    const block = await readAt(handle, start, end - start);
    let right = block.length;
    while (right > 0) {
      const at = block.lastIndexOf(NEWLINE, right - 1);
      line.prepend(block.subarray(at + 1, right));
      if (at === -1) break;
      if (!hand()) return 'stopped';
      right = at;
    }
    end = start;
  }
  if (least > 0) return 'limit';
  return size > 0 && !hand() ? 'stopped' : 'start';
}

/** A line that is put together from its end; of one that is too long the beginning is kept. */
function createLine(): { prepend: (bytes: Buffer) => void; isEmpty: () => boolean; take: () => TextLine } {
  let bytes: Buffer = Buffer.alloc(0);
  let isCut = false;
  return {
    prepend(before) {
      const whole = Buffer.concat([before.subarray(0, MAX_LINE_BYTES), bytes]);
      isCut ||= before.length > MAX_LINE_BYTES || whole.length > MAX_LINE_BYTES;
      bytes = whole.subarray(0, MAX_LINE_BYTES);
    },
    isEmpty: () => bytes.length === 0,
    take() {
      const kept = isCut ? bytes.subarray(0, bytes.length - incompleteTail(bytes)) : bytes;
      const line = { text: kept.toString('utf8').replace(/\r$/, ''), isCut };
      bytes = Buffer.alloc(0);
      isCut = false;
      return line;
    },
  };
}

/** Fewer bytes than asked for when the file has shrunk meanwhile. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
