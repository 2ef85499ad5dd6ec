import { join } from 'node:path';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { makeDirectoryDurably } from '../../runtime/atomic-file.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createCommitQueue } from './commit-queue.js';
import { type Compaction, createCompaction, lengthOf, octetsOf, writeEntries } from './compaction.js';
import type { Journal, JournalEntry } from './contract.js';
import type { Entries, Entry } from './entries.js';
import { loadJournal } from './load.js';
import { readMachine } from './owner.js';
import { encodeRecord, type JournalRecord } from './records.js';
import { createSegments, type Segments } from './segments.js';
import { createSpill, type Spill } from './spill.js';

export type JournalOptions = Readonly<{
  directory: string;
  org: string;
  node: string;
  /** At this size on disk new work is refused; what has started is still recorded. */
  maxBytes: number;
  clock: Clock;
  log: Logger;
  /** Names the machine; made from /etc/machine-id when absent. */
  machine?: string;
}>;

/** A journal that has reached its bound lies in about this many files. */
const SEGMENTS = 64;
const MIN_SEGMENT_BYTES = 64 * 1024;
/** A commit of more than this is cut into several frames. */
const FRAME_BODY_BYTES = 4 * 1024 * 1024;
/** About what a record takes beside its octets. */
const RECORD_BYTES = 512;

/** What a commit takes: a record with its octets. */
type Item = Readonly<{ record: JournalRecord; octets: Buffer | undefined }>;

/**
 * Opens the journal in this directory or begins a new one. A torn last write is cut off; a file that is damaged inside,
 * or of another machine or node, is set aside, and the new one begins without an epoch.
 * @throws {MusterError} storage_failed
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { org, node, log, maxBytes, machine = readMachine() } = options;
  const owner = { machine, org, node };
  try {
    makeDirectoryDurably(join(options.directory, 'output'));
    const spill = createSpill(join(options.directory, 'output'), log);
    const directory = join(options.directory, 'journal');
    const { entries, state } = loadJournal(directory, { ...options, owner });
    const segments = await createSegments(directory, {
      state,
      segmentBytes: Math.max(MIN_SEGMENT_BYTES, maxBytes / SEGMENTS),
      opening: (place) => [{ kind: 'journal', v: 1, ...owner, ...place }, standingRecord(entries)],
    });
    spill.keepOnly(new Set([...entries.byId.values()].filter(({ spillBytes }) => spillBytes > 0).map(({ id }) => id)));
    const compaction = createCompaction({ entries, segments, maxBytes, dropOutput: spill.remove });
    return createJournal({ ...options, entries, segments, compaction, spill });
  } catch (cause) {
    if (isMusterError(cause)) throw cause;
    log.error({ err: cause }, 'journal cannot be opened');
    throw new MusterError('storage_failed', `The journal in ${options.directory} cannot be opened`, { cause });
  }
}

type Parts = Readonly<{ entries: Entries; segments: Segments; compaction: Compaction; spill: Spill }>;

function createJournal({
  entries,
  segments,
  compaction,
  spill,
  maxBytes,
  clock,
  log,
}: JournalOptions & Parts): Journal {
  let closing = false;
  let closed = false;
  let willCompact = false;
  /** Starts that are on disk; the entries know of those that are on their way, too. */
  let durableSeq = entries.standing.seq;
  /** Entries of which a failed write said something that holds: said anew before the next. */
  const unsaid = new Set<string>();
  const leftOpen = [...entries.open].flatMap((id) => toEntry(entries.byId.get(id)) ?? []);
  const queue = createCommitQueue<Item>(commit);

  async function commit(items: readonly Item[]): Promise<void> {
    try {
      if (closed) throw new MusterError('storage_failed', 'the journal is closed');
      if (unsaid.size > 0) await sayAnew();
      for (const group of groupsOf(items)) await append(group);
    } catch (cause) {
      for (const { record } of [...items].reverse()) takeBack(record);
      if (!closed) log.error({ err: cause }, 'journal not written');
      throw toStorageFailure(cause);
    }
    if (compaction.isDue()) compactSoon();
  }

  async function append(items: readonly Item[]): Promise<void> {
    const body: Buffer[] = [];
    const placed: { record: JournalRecord; at: number; length: number }[] = [];
    let bytes = 0;
    for (const { record, octets } of items) {
      const parts = encodeRecord(record, octets);
      placed.push({ record, at: bytes + (parts[0]?.length ?? 0), length: octets?.length ?? 0 });
      body.push(...parts);
      bytes += lengthOf(parts);
    }
    const { segment, offset } = await segments.append(body);
    for (const { record, at, length } of placed) {
      if ('seq' in record) durableSeq = Math.max(durableSeq, record.seq);
      entries.settle(record, { segment, offset: offset + at, length });
    }
  }

  /** What was not written is not so, but for a cancel, a launch and a receipt, which hold whether or not they are. */
  function takeBack(record: JournalRecord): void {
    entries.revert(record);
    if (record.kind === 'receipted') for (const id of record.ids) unsaid.add(id);
    else if (record.kind === 'cancelled' || record.kind === 'launched') unsaid.add(record.id);
  }

  async function sayAnew(): Promise<void> {
    const chosen = [...unsaid].flatMap((id) => entries.byId.get(id) ?? []);
    await writeEntries(chosen, { entries, segments });
    unsaid.clear();
  }

  /** A file at a time: what has arrived meanwhile is written before the next. */
  function compactSoon(): void {
    if (willCompact || closing) return;
    willCompact = true;
    void queue.between(compact);
  }

  async function compact(): Promise<void> {
    willCompact = false;
    if (closing) return;
    try {
      await compaction.step();
      if (compaction.isUnderWay) compactSoon();
    } catch (err) {
      log.error({ err }, 'journal not compacted'); // the next commit tries again
    }
  }

  /** Applies a record at once, and makes it durable. */
  function write(record: JournalRecord, octets?: Buffer): Promise<void> {
    entries.apply({ record, octets });
    return queue.add({ record, octets });
  }

  return {
    get seq() {
      return durableSeq;
    },
    get epochMs() {
      return entries.standing.epochMs ?? undefined;
    },
    get welcomeSeq() {
      return entries.standing.welcomeSeq;
    },
    get forgottenMs() {
      return entries.standing.forgottenMs;
    },
    get bytes() {
      return segments.bytes + entries.spillBytes;
    },
    find: (id) => toEntry(entries.byId.get(id)),
    async accept({ id, sha256, octets, expiresMs, starting }) {
      if (segments.bytes + entries.spillBytes + RECORD_BYTES + octets.length > maxBytes) {
        if (compaction.mayHelp()) compactSoon();
        throw new MusterError('storage_failed', 'the journal has reached journal_max_bytes');
      }
      const seq = entries.standing.seq + (starting ? 1 : 0);
      const { length } = octets;
      await write({ kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length }, octets);
    },
    starting: (id) => write({ kind: 'starting', id, seq: entries.standing.seq + 1 }),
    launched(id) {
      const record = { kind: 'launched', id } as const;
      entries.apply({ record });
      queue.addLazily({ record, octets: undefined });
    },
    handOver: (id, handover) => write({ kind: 'handed_over', id, handover }),
    hasHandover: () => [...entries.open].some((id) => entries.byId.get(id)?.handover != null),
    cancel: ({ id, reason, expiresMs }) => write({ kind: 'cancelled', id, reason, expires_ms: expiresMs }),
    async finish(id, result, output) {
      const spillBytes = await spill.write(id, output).catch(failStorage);
      // Counts the 30 days of a result: a clock that is behind must not shorten them.
      const atMs = Math.max(clock.nowMs(), entries.standing.welcomeMs);
      const octets = result.length;
      await write({ kind: 'finished', id, at_ms: atMs, spill_bytes: spillBytes, octets }, result);
    },
    receipt(ids) {
      compaction.mayForget();
      return write({ kind: 'receipted', ids: [...ids] });
    },
    requestOf(id) {
      const entry = entries.byId.get(id);
      return entry === undefined || entry.state === 'finished' ? undefined : bytesOf(entry);
    },
    resultOf(id) {
      const entry = entries.byId.get(id);
      return entry?.state === 'finished' && entry.undo === undefined ? bytesOf(entry) : undefined;
    },
    *outputOf(id, fromSeq = 0) {
      if ((entries.byId.get(id)?.spillBytes ?? 0) === 0) return;
      try {
        yield* spill.read(id, fromSeq);
      } catch (cause) {
        throw toStorageFailure(cause);
      }
    },
    unreceipted: () =>
      [...entries.unreceipted]
        .flatMap((id) => entries.byId.get(id) ?? [])
        .filter(({ undo }) => undo === undefined)
        .sort((one, other) => one.finishedMs - other.finishedMs)
        .map(({ id }) => id),
    leftOpen: () => leftOpen,
    beginEpoch(nowMs, seenSeq = 0) {
      const { epochMs, seq } = entries.standing;
      // Never back: the controller refuses that, and what ran under the epoch before would count as new.
      const nextMs = epochMs === null ? nowMs : Math.max(nowMs, epochMs + 1);
      const standing = { ...standingRecord(entries), seq: Math.max(seq, seenSeq), epoch_ms: nextMs, forgotten_ms: 0 };
      return write(standing);
    },
    welcomed(welcomeSeq, nowMs) {
      compaction.mayForget();
      return write({ ...standingRecord(entries), welcome_seq: welcomeSeq, welcome_ms: nowMs });
    },
    answers: () => queue.between(async () => undefined),
    async close() {
      if (closing) return;
      closing = true;
      await queue.flush();
      closed = true;
      segments.close();
    },
  };

  /** @throws {MusterError} storage_failed */
  function bytesOf({ octets }: Entry): Buffer | undefined {
    return read(() => octetsOf(octets, segments));
  }
}

function standingRecord({ standing }: Entries): Extract<JournalRecord, { kind: 'standing' }> {
  const { seq, epochMs, welcomeSeq, welcomeMs, forgottenMs } = standing;
  const welcome = { welcome_seq: welcomeSeq, welcome_ms: welcomeMs };
  return { kind: 'standing', seq, epoch_ms: epochMs, ...welcome, forgotten_ms: forgottenMs };
}

function toEntry(entry: Entry | undefined): JournalEntry | undefined {
  if (entry === undefined) return undefined;
  const { id, sha256, expiresMs, state, launched, cancelled, handover, receipted } = entry;
  return {
    ...{ id, expiresMs, state, launched, receipted },
    sha256: sha256 ?? undefined,
    cancelled: cancelled ?? undefined,
    handover: handover ?? undefined,
  };
}

function* groupsOf(items: readonly Item[]): Generator<readonly Item[]> {
  let group: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    group.push(item);
    bytes += RECORD_BYTES + (item.octets?.length ?? 0);
    if (bytes < FRAME_BODY_BYTES) continue;
    yield group;
    [group, bytes] = [[], 0];
  }
  if (group.length > 0) yield group;
}

function toStorageFailure(cause: unknown): MusterError {
  if (isMusterError(cause, 'storage_failed')) return cause;
  return new MusterError('storage_failed', 'the journal could not be read or written', { cause });
}

/** @throws {MusterError} storage_failed */
function read<T>(bytes: () => T): T {
  try {
    return bytes();
  } catch (cause) {
    throw toStorageFailure(cause);
  }
}

function failStorage(cause: unknown): never {
  throw toStorageFailure(cause);
}
