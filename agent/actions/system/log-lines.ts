import { z } from 'zod';
import type { Mask } from '../../../runtime/masking/mask.js';

/** One line of a log. */
export const LogLine = z.object({
  time: z.iso.datetime().nullable().describe('When it was written, if that can be read from it'),
  text: z.string().describe('At most 4096 bytes; what is not UTF-8 became U+FFFD'),
  is_cut: z.boolean().describe('The rest of the line was left out'),
  priority: z.int().min(0).max(7).nullable().describe('0 emergency to 7 debug, in the journal'),
  from: z.string().nullable().describe('Program and process id, in the journal'),
});
export type LogLine = Readonly<z.infer<typeof LogLine>>;

/** Takes lines, the newest first, until there are enough or their JSON would be too long. */
export type LineCollector = Readonly<{
  /** False once a line does not fit any more. */
  add: (line: LogLine) => boolean;
  /** The oldest first. */
  lines: () => LogLine[];
  isFull: () => boolean;
}>;

/** Lines are masked before they count: a mark may be longer than its value. */
export function createLineCollector({
  maxLines,
  maxBytes,
  mask,
}: Readonly<{ maxLines: number; maxBytes: number; mask: Mask }>): LineCollector {
  const taken: LogLine[] = [];
  let bytes = 0;
  let isFull = false;
  return {
    add(read) {
      const line = { ...read, text: read.is_cut ? mask.text(read.text) : mask.typed(read.text) };
      bytes += Buffer.byteLength(JSON.stringify(line)) + 1;
      isFull ||= taken.length === maxLines || bytes > maxBytes;
      if (!isFull) taken.push(line);
      return !isFull;
    },
    lines: () => taken.toReversed(),
    isFull: () => isFull,
  };
}
