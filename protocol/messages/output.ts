import { z } from 'zod';
import { ExecutionId, Id } from '../ids.js';

/** At most this many bytes of output in one message. */
export const MAX_CHUNK_BYTES = 48 * 1024;

/** No execution prints more pieces than this; `seq` stays below it. */
export const MAX_CHUNKS = 4_096;

export const StreamName = z.enum(['stdout', 'stderr']);
export type StreamName = z.infer<typeof StreamName>;

export const Encoding = z.enum(['utf-8', 'base64']);
export type Encoding = z.infer<typeof Encoding>;

/** Payload of `muster-output`: one piece of what an execution printed. */
export const Output = z.object({
  v: z.literal(1),
  execution_id: ExecutionId,
  node: Id,
  org: Id,
  seq: z.int().min(0).describe('Counts from 0 over both streams'),
  stream: StreamName,
  offset: z.int().min(0).describe('Bytes of this stream before this piece'),
  data: z.string().max(2 * MAX_CHUNK_BYTES),
  encoding: Encoding.describe('base64 when the bytes are not valid UTF-8; characters are never cut'),
  last: z.boolean().describe('True on the last piece of a stream'),
});
export type Output = Readonly<z.infer<typeof Output>>;
