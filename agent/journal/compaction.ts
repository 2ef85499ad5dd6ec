import { type Entries, type Entry, type Octets, toRecord } from './entries.js';
import { encodeRecord, type JournalRecord } from './records.js';
import { prune } from './retention.js';
import type { Segments } from './segments.js';

/**
 * Makes room: says anew, at the end, what the oldest file says and is still needed, and then removes that file. A step
 * is one file, so that new work waits for one file at most and a full disk needs room for no more.
 */
export type Compaction = Readonly<{
  isDue: () => boolean;
  /** Something may have become superfluous: a receipt came, or a later time. */
  mayForget: () => void;
  /** Whether a round could make room now, for work that was refused. */
  mayHelp: () => boolean;
  /** Cleans one file of a round, which ends with the file that was the newest when it began. */
  step: () => Promise<void>;
  /** True while a round is under way. */
  readonly isUnderWay: boolean;
}>;

/** Less garbage than this is not worth a round; of a small journal a quarter. */
const MIN_GARBAGE_BYTES = 512 * 1024;
const MIN_GARBAGE_PART = 0.25;
/** A large journal keeps at most this part of its bound as garbage, a small one as much as it holds. */
const MAX_GARBAGE_PART = 1 / 8;
/** Above this part of the bound the journal looks for what it may forget, again after each further twentieth. */
const PRUNE_ABOVE = 0.75;
const PRUNE_STEP = 0.05;
/** Entries are said anew in frames of about this size: other work of the process comes in between. */
const FRAME_BODY_BYTES = 512 * 1024;

export function createCompaction({
  entries,
  segments,
  maxBytes,
  dropOutput,
}: {
  entries: Entries;
  segments: Segments;
  maxBytes: number;
  dropOutput: (id: string) => void;
}): Compaction {
  /** The last file of the round that is under way. */
  let until: number | undefined;
  /** What a round could not free, since the size of what is needed is only estimated. */
  let unfreeableBytes = 0;
  let prunedAtBytes = 0;
  let isForgettable = false;

  const garbage = (): number => segments.bytes - entries.liveBytes - unfreeableBytes;
  const hasMuchGarbage = (): boolean =>
    garbage() > Math.min(MIN_GARBAGE_BYTES, maxBytes * MIN_GARBAGE_PART) &&
    garbage() > Math.min(entries.liveBytes, maxBytes * MAX_GARBAGE_PART);

  function mayPrune(): boolean {
    const needed = entries.liveBytes + entries.spillBytes;
    return needed > maxBytes * PRUNE_ABOVE && needed > prunedAtBytes + maxBytes * PRUNE_STEP;
  }

  async function begin(): Promise<void> {
    isForgettable = false;
    // By the time of the last welcome: a wrong clock must not make the node forget what it has run.
    prune(entries, { nowMs: entries.standing.welcomeMs, maxBytes, dropOutput });
    prunedAtBytes = entries.liveBytes + entries.spillBytes;
    if (garbage() <= 0) return;
    const { newest } = segments;
    await segments.roll();
    until = newest;
  }

  async function cleanOldest(): Promise<void> {
    const { oldest } = segments;
    await writeEntries(
      [...entries.byId.values()].filter(({ base }) => base === oldest),
      { entries, segments },
    );
    await segments.append(encodeRecord({ kind: 'dropped', oldest: oldest + 1 }));
    segments.dropOldest();
  }

  return {
    isDue: () => until !== undefined || hasMuchGarbage() || mayPrune(),
    mayForget() {
      isForgettable = true;
    },
    mayHelp: () => isForgettable || garbage() > Math.min(MIN_GARBAGE_BYTES, maxBytes * MIN_GARBAGE_PART),
    async step() {
      if (until === undefined) await begin();
      if (until === undefined) return;
      await cleanOldest();
      if (segments.oldest <= until) return;
      until = undefined;
      unfreeableBytes = segments.bytes - entries.liveBytes;
    },
    get isUnderWay() {
      return until !== undefined;
    },
  };
}

/** Says anew all that is known of these entries; on disk when it resolves. */
export async function writeEntries(
  chosen: readonly Entry[],
  { entries, segments }: { entries: Entries; segments: Segments },
): Promise<void> {
  let body: Buffer[] = [];
  let placed: { record: JournalRecord; at: number; length: number }[] = [];
  let bytes = 0;
  for (const entry of chosen) {
    const { record, octets } = toRecord(entry);
    const parts = encodeRecord(record, octetsOf(octets, segments));
    const [line = Buffer.alloc(0)] = parts;
    placed.push({ record, at: bytes + line.length, length: octets?.length ?? 0 });
    body.push(...parts);
    bytes += lengthOf(parts);
    if (bytes >= FRAME_BODY_BYTES) await flush();
  }
  if (bytes > 0) await flush();

  async function flush(): Promise<void> {
    const { segment, offset } = await segments.append(body);
    for (const { record, at, length } of placed) entries.settle(record, { segment, offset: offset + at, length });
    [body, placed, bytes] = [[], [], 0];
  }
}

/** The bytes themselves, from memory or from their place. */
export function octetsOf(octets: Octets | undefined, segments: Segments): Buffer | undefined {
  return octets === undefined || Buffer.isBuffer(octets) ? octets : segments.read(octets);
}

export function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}
