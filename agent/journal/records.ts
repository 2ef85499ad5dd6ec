import { z } from 'zod';
import { MusterError } from '../../protocol/errors.js';
import { ExecutionId, Sha256Hex } from '../../protocol/ids.js';

const Milliseconds = z.number().min(0);
const Count = z.int().min(0);

/** Where an execution stands. `tombstone`: cancelled before its request came. */
export const EntryState = z.enum(['tombstone', 'accepted', 'starting', 'finished']);
export type EntryState = z.infer<typeof EntryState>;

/** What a process leaves to the one after it, which alone can say how an action ended that took its process away. */
export const Handover = z.object({
  process_id: z.string().max(64).describe('The process that began it'),
  boot_id: z.string().max(64).nullable().describe('The boot in which it began; null where the kernel tells none'),
  began_ms: Milliseconds.describe('When it did, since that boot'),
  due_ms: Milliseconds.describe('When it is to happen, since that boot'),
  left_ms: Milliseconds.describe('When the process left, or was to leave, by the clock of the node'),
  left_since_boot_ms: Milliseconds.describe('The same, since that boot'),
});
export type Handover = Readonly<z.infer<typeof Handover>>;

/**
 * What the journal files hold, one JSON line per record. `octets` counts the raw bytes that follow the line: the
 * payload of a request or a result.
 */
export const JournalRecord = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('journal').describe('The first record of each file: whose journal it is, and what came before'),
    v: z.literal(1),
    machine: z.string().max(128),
    org: z.string().max(128),
    node: z.string().max(128),
    segment: Count.describe('The number of this file'),
    oldest: Count.describe('The number of the oldest file that was needed when this one began'),
    previous_size: Count.describe('Bytes of the file before this one that count; what follows them is a failed write'),
  }),
  z.object({
    kind: z.literal('dropped').describe('What the files before this one said has been said anew'),
    oldest: Count,
  }),
  z.object({
    kind: z.literal('standing').describe('The counters that hello tells'),
    seq: Count,
    epoch_ms: Milliseconds.nullable(),
    welcome_seq: Count,
    welcome_ms: Milliseconds,
    forgotten_ms: Milliseconds.default(0).describe('The latest end of a request whose id was forgotten'),
  }),
  z.object({
    kind: z.literal('accepted'),
    id: ExecutionId,
    sha256: Sha256Hex,
    expires_ms: Milliseconds,
    starting: z.boolean().describe('True: accepted and starting in one'),
    seq: Count.describe('Starts so far, this one included when it is one'),
    octets: Count,
  }),
  z.object({ kind: z.literal('starting'), id: ExecutionId, seq: Count }),
  z.object({ kind: z.literal('launched'), id: ExecutionId }),
  z.object({ kind: z.literal('handed_over'), id: ExecutionId, handover: Handover }),
  z.object({ kind: z.literal('cancelled'), id: ExecutionId, reason: z.string().max(1024), expires_ms: Milliseconds }),
  z.object({ kind: z.literal('finished'), id: ExecutionId, at_ms: Milliseconds, spill_bytes: Count, octets: Count }),
  z.object({ kind: z.literal('receipted'), ids: z.array(ExecutionId).max(1000) }),
  z.object({
    kind: z.literal('entry').describe('All that is known of one execution, written by a compaction'),
    id: ExecutionId,
    sha256: Sha256Hex.nullable(),
    expires_ms: Milliseconds,
    state: EntryState,
    launched: z.boolean(),
    cancelled: z.string().max(1024).nullable(),
    handover: Handover.nullable().default(null),
    receipted: z.boolean(),
    at_ms: Milliseconds,
    since_welcome: z
      .boolean()
      .default(false)
      .describe('It ended since the last welcome: at_ms is what the node held for the time'),
    spill_bytes: Count,
    octets: Count.describe('Of the result when it is kept, else of the request'),
  }),
]);
export type JournalRecord = Readonly<z.infer<typeof JournalRecord>>;

/** A record with its place in the file: `offset` is where its octets begin. */
export type PlacedRecord = Readonly<{ record: JournalRecord; offset: number; octets: number }>;

const NEWLINE = 0x0a;

/** The bytes of a record: a JSON line, then its octets and a newline. No byte of the line is zero. */
export function encodeRecord(record: JournalRecord, octets?: Buffer): Buffer[] {
  const line = Buffer.from(`${JSON.stringify(record)}\n`);
  return 'octets' in record ? [line, octets ?? Buffer.alloc(0), Buffer.from('\n')] : [line];
}

/**
 * The records of a frame whose body begins at `bodyOffset` of the file.
 * @throws {MusterError} payload_malformed: written by another release, since the frame itself is intact
 */
export function decodeRecords(body: Buffer, bodyOffset: number): PlacedRecord[] {
  const records: PlacedRecord[] = [];
  for (let at = 0; at < body.length; ) {
    const lineEnd = body.indexOf(NEWLINE, at);
    const record = parseRecord(body.subarray(at, lineEnd === -1 ? body.length : lineEnd));
    const octets = 'octets' in record ? record.octets : 0;
    const start = lineEnd + 1;
    records.push({ record, offset: bodyOffset + start, octets });
    at = 'octets' in record ? start + octets + 1 : start;
    if (lineEnd === -1 || at > body.length) throw new MusterError('payload_malformed', 'a journal record is cut off');
  }
  return records;
}

function parseRecord(line: Buffer): JournalRecord {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    throw new MusterError('payload_malformed', 'a journal record is not JSON', { cause });
  }
  const parsed = JournalRecord.safeParse(value);
  if (!parsed.success) throw new MusterError('payload_malformed', 'a journal record does not fit its schema');
  return parsed.data;
}
