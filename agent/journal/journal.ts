import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createCommitQueue } from './commit-queue.js';
import type { Journal, JournalEntry } from './contract.js';
import { createEntries, type Entries, type Entry } from './entries.js';
import { loadJournal } from './load.js';
import { type Owner, readMachine } from './owner.js';
import { encodeRecord, type JournalRecord } from './records.js';
import { prune } from './retention.js';
import { octetsOf, rewriteJournal } from './rewrite.js';
import type { Segment } from './segment.js';
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

/** A file smaller than this is not worth a compaction. */
const MIN_COMPACTION_BYTES = 1024 * 1024;
/** Above this part of the bound the journal looks for what it may forget, again after each further twentieth. */
const PRUNE_ABOVE = 0.75;
const PRUNE_STEP = 0.05;
/** A commit of more than this is cut into several frames. */
const FRAME_BODY_BYTES = 4 * 1024 * 1024;
/** About what a record takes beside its octets. */
const RECORD_BYTES = 512;

/** What a commit takes: a record with its octets, and the entry as it was before. */
type Item = Readonly<{ record: JournalRecord; octets: Buffer | undefined; before: Entry | undefined }>;

/**
 * Opens the journal in this directory or begins a new one. A torn last write is cut off; a file that is damaged inside,
 * or of another machine or node, is set aside, and the new one begins without an epoch.
 * @throws {MusterError} storage_failed
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, org, node, log, machine = readMachine() } = options;
  const file = join(directory, 'journal');
  const owner = { machine, org, node };
  try {
    mkdirSync(join(directory, 'output'), { recursive: true, mode: 0o700 });
    const spill = createSpill(join(directory, 'output'));
    const loaded = loadJournal(file, { ...options, owner });
    const entries = loaded?.entries ?? createEntries();
    const segment = loaded?.segment ?? (await rewriteJournal(file, { entries, owner }));
    spill.keepOnly(new Set([...entries.byId.values()].filter(({ spillBytes }) => spillBytes > 0).map(({ id }) => id)));
    return createJournal({ ...options, owner, file, entries, segment, spill });
  } catch (cause) {
    if (isMusterError(cause)) throw cause;
    log.error({ err: cause }, 'journal cannot be opened');
    throw new MusterError('storage_failed', `The journal in ${directory} cannot be opened`, { cause });
  }
}

type Parts = Readonly<{ owner: Owner; file: string; entries: Entries; segment: Segment; spill: Spill }>;

function createJournal({ file, owner, entries, spill, ...options }: JournalOptions & Parts): Journal {
  const { maxBytes, clock, log } = options;
  let segment = options.segment;
  /** True after a failed write: what the kernel holds of the file is unknown, so it is written anew before the next. */
  let broken = false;
  let closed = false;
  /** Starts that are on disk; the entries know of those that are on their way, too. */
  let durableSeq = entries.standing.seq;
  let prunedAtBytes = 0;
  /** True once a receipt or a welcome came that may have made something superfluous. */
  let mayPrune = false;
  const leftOpen = [...entries.open].flatMap((id) => toEntry(entries.byId.get(id)) ?? []);
  const queue = createCommitQueue<Item>(commit);

  async function commit(items: readonly Item[]): Promise<void> {
    try {
      if (closed) throw new MusterError('storage_failed', 'the journal is closed');
      // A rewrite brings all that is known to disk, these items included.
      if (broken) await rewrite();
      else for (const group of groupsOf(items)) await append(group);
    } catch (cause) {
      broken = true;
      for (const { record, before } of [...items].reverse()) entries.revert(record, before);
      if (!closed) log.error({ err: cause }, 'journal not written');
      throw toStorageFailure(cause);
    }
    if (needsCompaction()) void queue.between(compact);
  }

  async function append(items: readonly Item[]): Promise<void> {
    const body: Buffer[] = [];
    const placed: { id: string; octets: Buffer; at: number }[] = [];
    let bytes = 0;
    for (const { record, octets } of items) {
      const parts = encodeRecord(record, octets);
      const [line = Buffer.alloc(0)] = parts;
      if (octets !== undefined && 'id' in record) placed.push({ id: record.id, octets, at: bytes + line.length });
      body.push(...parts);
      bytes += parts.reduce((sum, part) => sum + part.length, 0);
    }
    const bodyOffset = await segment.append(body);
    for (const { record } of items) if ('seq' in record) durableSeq = Math.max(durableSeq, record.seq);
    for (const { id, octets, at } of placed) {
      const entry = entries.byId.get(id);
      if (entry?.octets === octets) entry.octets = { offset: bodyOffset + at, length: octets.length };
    }
  }

  function needsCompaction(): boolean {
    const { liveBytes } = entries;
    if (segment.size > MIN_COMPACTION_BYTES && segment.size > 2 * liveBytes) return true;
    return liveBytes > maxBytes * PRUNE_ABOVE && liveBytes > prunedAtBytes + maxBytes * PRUNE_STEP;
  }

  async function compact(): Promise<void> {
    if (closed) return;
    try {
      prune(entries, { nowMs: entries.standing.welcomeMs, maxBytes, dropOutput: spill.remove });
      prunedAtBytes = entries.liveBytes;
      mayPrune = false;
      await rewrite();
    } catch (err) {
      // The old file may or may not have been replaced: the next commit begins with another try.
      broken = true;
      log.error({ err }, 'journal not compacted');
    }
  }

  async function rewrite(): Promise<void> {
    const old = segment;
    const { seq } = entries.standing;
    segment = await rewriteJournal(file, { entries, owner, old });
    broken = false;
    durableSeq = Math.max(durableSeq, seq);
    old.close();
  }

  /** Applies a record at once, and makes it durable. */
  function write(record: JournalRecord, octets?: Buffer): Promise<void> {
    return queue.add(apply(record, octets));
  }

  function apply(record: JournalRecord, octets?: Buffer): Item {
    const entry = 'id' in record ? entries.byId.get(record.id) : undefined;
    const before = entry === undefined ? undefined : { ...entry };
    entries.apply({ record, octets });
    return { record, octets, before };
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
    find: (id) => toEntry(entries.byId.get(id)),
    async accept({ id, sha256, octets, expiresMs, starting }) {
      if (entries.liveBytes + RECORD_BYTES + octets.length > maxBytes) {
        if (mayPrune) void queue.between(compact);
        throw new MusterError('storage_failed', 'the journal has reached journal_max_bytes');
      }
      const seq = entries.standing.seq + (starting ? 1 : 0);
      const { length } = octets;
      await write({ kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, seq, octets: length }, octets);
    },
    starting: (id) => write({ kind: 'starting', id, seq: entries.standing.seq + 1 }),
    launched: (id) => queue.addLazily(apply({ kind: 'launched', id })),
    cancel: ({ id, reason, expiresMs }) => write({ kind: 'cancelled', id, reason, expires_ms: expiresMs }),
    async finish(id, result, output) {
      const spillBytes = output.length === 0 ? 0 : await spill.write(id, output).catch(failStorage);
      // Counts the 30 days of a result: a clock that is behind must not shorten them.
      const atMs = Math.max(clock.nowMs(), entries.standing.welcomeMs);
      const octets = result.length;
      await write({ kind: 'finished', id, at_ms: atMs, spill_bytes: spillBytes, octets }, result);
    },
    receipt(ids) {
      mayPrune = true;
      return write({ kind: 'receipted', ids: [...ids] });
    },
    requestOf(id) {
      const entry = entries.byId.get(id);
      return entry === undefined || entry.state === 'finished' ? undefined : read(() => octetsOf(entry, segment));
    },
    resultOf(id) {
      const entry = entries.byId.get(id);
      return entry?.state === 'finished' ? read(() => octetsOf(entry, segment)) : undefined;
    },
    outputOf: (id) => ((entries.byId.get(id)?.spillBytes ?? 0) > 0 ? read(() => spill.read(id)) : []),
    unreceipted: () => [...entries.unreceipted],
    leftOpen: () => leftOpen,
    beginEpoch(nowMs, seenSeq = 0) {
      const { welcomeSeq, welcomeMs } = entries.standing;
      const seq = Math.max(entries.standing.seq, seenSeq);
      return write({ kind: 'standing', seq, epoch_ms: nowMs, welcome_seq: welcomeSeq, welcome_ms: welcomeMs });
    },
    welcomed(welcomeSeq, nowMs) {
      mayPrune = true;
      const { seq, epochMs } = entries.standing;
      return write({ kind: 'standing', seq, epoch_ms: epochMs, welcome_seq: welcomeSeq, welcome_ms: nowMs });
    },
    async close() {
      if (closed) return;
      await queue.flush();
      closed = true;
      segment.close();
    },
  };
}

function toEntry(entry: Entry | undefined): JournalEntry | undefined {
  if (entry === undefined) return undefined;
  const { id, sha256, expiresMs, state, launched, cancelled, receipted } = entry;
  return { id, sha256: sha256 ?? undefined, expiresMs, state, launched, cancelled: cancelled ?? undefined, receipted };
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
