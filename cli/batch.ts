import { z } from 'zod';
import { MusterError } from '../protocol/errors.js';

/** The options by which an ask reaches its nodes in parts. */
export const BatchOptions = z.object({
  batch: z.string().optional(),
  pause: z.string().optional(),
  batchWait: z.string().optional(),
  maxFailed: z.string().optional(),
});

/**
 * The batches that the options spell, as the API takes them; undefined when there are none.
 * @throws {MusterError} usage
 */
export function toBatch({
  batch,
  pause,
  batchWait,
  maxFailed,
}: z.infer<typeof BatchOptions>): Readonly<Record<string, unknown>> | undefined {
  if (batch !== undefined) {
    const max_failed = maxFailed === undefined ? undefined : toShare('--max-failed', maxFailed);
    return { size: toShare('--batch', batch), pause, wait: batchWait, max_failed };
  }
  if (pause === undefined && batchWait === undefined && maxFailed === undefined) return undefined;
  throw new MusterError('usage', '--pause, --batch-wait and --max-failed need --batch');
}

function toShare(option: string, text: string): number | string {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  if (/^\d{1,3}%$/.test(text)) return text;
  throw new MusterError('usage', `${option} takes a whole number, or a percentage such as 10%`);
}
