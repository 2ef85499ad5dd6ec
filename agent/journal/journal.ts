import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createCommitQueue } from './commit-queue.js';
import type { Journal, JournalEntry } from './contract.js';
import { createEntries, type Entries, type Entry, placeOf, toRecord } from './entries.js';
import { encodeRecord, type JournalRecord, type PlacedRecord } from './records.js';
import { type OpenedSegment, openSegment, replaceSegment, type Segment } from './segment.js';
import { createSpill, type Spill } from './spill.js';

export type JournalOptions = Readonly<{
  directory: string;
  org: string;
  node: string;
  /** At this size on disk new work is refused; what has started is still recorded. */
  maxBytes: number;
  clock: Clock;
  log: Logger;
  /** Names the machine; read from /etc/machine-id when absent. */
  machine?: string;
}>;

/** Ids are kept this long past the end of their request. */
const KEEP_MS = 24 * 3600 * 1000;
/** A file smaller than this is not worth a compaction. */
const MIN_COMPACTION_BYTES = 1024 * 1024;
/** A commit of more than this is cut into several frames. */
const FRAME_BODY_BYTES = 4 * 1024 * 1024;

/** What a commit takes: a record with its octets, and how to forget it when it does not reach the disk. */
type Item = Readonly<{ record: JournalRecord; octets?: Buffer | undefined; undo: () => void }>;

/**
 * Opens the journal in this directory or begins a new one. A torn last write is cut off; a file that is damaged inside,
 * or of another machine or node, is set aside, and the new one begins without an epoch.
 * @throws {MusterError} storage_failed
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, log } = options;
  const file = join(directory, 'journal');
  const machine = options.machine ?? readMachine();
  try {
    mkdirSync(join(directory, 'output'), { recursive: true, mode: 0o700 });
    const opened = existsSync(file) ? load(file, { ...options, machine }) : undefined;
    const entries = opened?.entries ?? createEntries();
    const segment = opened?.segment ?? (await writeAll(file, entries, { ...options, machine }));
    return createJournal({
      ...options,
      machine,
      file,
      entries,
      segment,
      spill: createSpill(join(directory, 'output')),
    });
  } catch (cause) {
    if (isMusterError(cause)) throw cause;
    log.error({ err: cause }, 'journal cannot be opened');
    throw new MusterError('storage_failed', `The journal in ${directory} cannot be opened`, { cause });
  }
}

type Owner = Readonly<{ machine: string; org: string; node: string; clock: Clock; log: Logger }>;

/** The journal in this file; undefined when it had to be set aside. */
function load(file: string, owner: Owner): { entries: Entries; segment: Segment } | undefined {
  const entries = createEntries();
  let foreign = false;
  const take = (placed: PlacedRecord): void => {
    const { record } = placed;
    if (record.kind === 'journal') foreign ||= !isOwn(record, owner);
    entries.apply({ record, octets: placeOf(placed) });
  };
  const opened = openUndamaged(file, take, owner.log);
  if (opened !== undefined && !foreign) {
    if (opened.cutBytes > 0) owner.log.warn({ cutBytes: opened.cutBytes }, 'journal had a torn end');
    return { entries, segment: opened.segment };
  }
  opened?.segment.close();
  const aside = `${file}.${foreign ? 'foreign' : 'damaged'}-${owner.clock.nowMs()}`;
  renameSync(file, aside);
  owner.log.error({ aside, foreign }, 'journal set aside, a new one begins');
  return undefined;
}

function openUndamaged(file: string, take: (placed: PlacedRecord) => void, log: Logger): OpenedSegment | undefined {
  try {
    return openSegment(file, take);
  } catch (err) {
    if (!isMusterError(err, 'payload_malformed')) throw err;
    log.error({ err }, 'journal is damaged');
    return undefined;
  }
}

function isOwn(header: { machine: string; org: string; node: string }, { machine, org, node }: Owner): boolean {
  return header.machine === machine && header.org === org && header.node === node;
}

/** Writes everything that is known into a new file in place of the old one, and points the entries to it. */
async function writeAll(file: string, entries: Entries, owner: Owner, old?: Segment): Promise<Segment> {
  const { seq, epochMs, welcomeSeq, welcomeMs } = entries.standing;
  const { machine, org, node } = owner;
  const head: JournalRecord[] = [
    { kind: 'journal', v: 1, machine, org, node },
    { kind: 'standing', seq, epoch_ms: epochMs, welcome_seq: welcomeSeq, welcome_ms: welcomeMs },
  ];
  /** What each body holds, in the order in which the bodies are written. */
  const placements: { entry: Entry; at: number; length: number }[][] = [];
  function* bodies(): Generator<readonly Buffer[]> {
    let body = head.flatMap((record) => encodeRecord(record));
    let bytes = lengthOf(body);
    let placed: { entry: Entry; at: number; length: number }[] = [];
    for (const entry of entries.byId.values()) {
      const octets = octetsOf(entry, old);
      const parts = encodeRecord(toRecord(entry), octets);
      if (octets !== undefined) placed.push({ entry, at: bytes + (parts[0]?.length ?? 0), length: octets.length });
      body.push(...parts);
      bytes += lengthOf(parts);
      if (bytes < FRAME_BODY_BYTES) continue;
      placements.push(placed);
      yield body;
      [body, bytes, placed] = [[], 0, []];
    }
    if (bytes === 0) return;
    placements.push(placed);
    yield body;
  }
  const offsets: number[] = [];
  const segment = await replaceSegment(file, bodies(), (bodyOffset) => offsets.push(bodyOffset));
  for (const [index, placed] of placements.entries()) {
    for (const { entry, at, length } of placed) entry.octets = { offset: (offsets[index] ?? 0) + at, length };
  }
  return segment;
}

function createJournal({
  file,
  entries,
  spill,
  maxBytes,
  log,
  ...rest
}: JournalOptions &
  Readonly<{ machine: string; file: string; entries: Entries; segment: Segment; spill: Spill }>): Journal {
  const owner: Owner = { machine: rest.machine, org: rest.org, node: rest.node, clock: rest.clock, log };
  let segment = rest.segment;
  /** True after a failed write: what the kernel holds of the file is unknown, so it is written anew before the next. */
  let broken = false;
  const leftOpen = [...entries.open].flatMap((id) => toEntry(entries.byId.get(id)) ?? []);
  const queue = createCommitQueue<Item>(commit);

  async function commit(items: readonly Item[]): Promise<void> {
    try {
      if (broken) await rewrite();
      for (const group of groupsOf(items)) await append(group);
    } catch (cause) {
      broken = true;
      for (const { undo } of [...items].reverse()) undo();
      log.error({ err: cause }, 'journal not written');
      throw isMusterError(cause)
        ? cause
        : new MusterError('storage_failed', 'the journal could not be written', { cause });
    }
    if (segment.size > MIN_COMPACTION_BYTES && segment.size > 2 * entries.liveBytes) void queue.between(compact);
  }

  async function append(items: readonly Item[]): Promise<void> {
    const body: Buffer[] = [];
    const placed: { id: string; octets: Buffer; at: number }[] = [];
    let bytes = 0;
    for (const { record, octets } of items) {
      const parts = encodeRecord(record, octets);
      if (octets !== undefined && 'id' in record)
        placed.push({ id: record.id, octets, at: bytes + (parts[0]?.length ?? 0) });
      body.push(...parts);
      bytes += lengthOf(parts);
    }
    const bodyOffset = await segment.append(body);
    for (const { id, octets, at } of placed) {
      const entry = entries.byId.get(id);
      if (entry?.octets === octets) entry.octets = { offset: bodyOffset + at, length: octets.length };
    }
  }

  async function rewrite(): Promise<void> {
    const old = segment;
    segment = await writeAll(file, entries, owner, old);
    broken = false;
    old.close();
  }

  /** Drops what is no longer needed; a failure leaves the old file, which is whole. */
  async function compact(): Promise<void> {
    const { welcomeMs } = entries.standing;
    for (const entry of [...entries.byId.values()]) {
      const isOver = entry.receipted || entry.state === 'tombstone';
      if (!isOver) continue;
      if (entry.expiresMs + KEEP_MS < welcomeMs) {
        if (entry.spillBytes > 0) spill.remove(entry.id);
        entries.remove(entry.id);
      } else if (entries.liveBytes > maxBytes / 2) {
        if (entry.spillBytes > 0) spill.remove(entry.id);
        entries.thin(entry);
      }
    }
    try {
      await rewrite();
    } catch (err) {
      log.error({ err }, 'journal not compacted');
    }
  }

  /** Applies a record at once, and makes it durable. */
  function write(record: JournalRecord, octets?: Buffer): Promise<void> {
    return queue.add(toItem(record, octets));
  }

  function toItem(record: JournalRecord, octets?: Buffer): Item {
    const before = 'id' in record ? entries.byId.get(record.id) : undefined;
    const kept = before === undefined ? undefined : { ...before };
    const standing = { ...entries.standing };
    entries.apply({ record, octets });
    return {
      record,
      octets,
      undo() {
        if (record.kind === 'receipted') return; // it is receipted, whatever the disk says; a repetition does no harm
        Object.assign(entries.standing, standing);
        if (!('id' in record)) return;
        entries.remove(record.id);
        if (kept !== undefined) entries.apply({ record: toRecord(kept), octets: kept.octets });
      },
    };
  }

  return {
    get seq() {
      return entries.standing.seq;
    },
    get epochMs() {
      return entries.standing.epochMs ?? undefined;
    },
    get welcomeSeq() {
      return entries.standing.welcomeSeq;
    },
    find: (id) => toEntry(entries.byId.get(id)),
    async accept({ id, sha256, octets, expiresMs, starting }) {
      if (entries.liveBytes + octets.length > maxBytes)
        throw new MusterError('storage_failed', 'the journal has reached journal_max_bytes');
      await write({ kind: 'accepted', id, sha256, expires_ms: expiresMs, starting, octets: octets.length }, octets);
    },
    starting: (id) => write({ kind: 'starting', id }),
    launched: (id) => queue.addLazily(toItem({ kind: 'launched', id })),
    cancel: ({ id, reason, expiresMs }) => write({ kind: 'cancelled', id, reason, expires_ms: expiresMs }),
    async finish(id, result, output) {
      const spillBytes = output.length === 0 ? 0 : await spill.write(id, output);
      await write(
        { kind: 'finished', id, at_ms: rest.clock.nowMs(), spill_bytes: spillBytes, octets: result.length },
        result,
      );
    },
    receipt: (ids) => write({ kind: 'receipted', ids: [...ids] }),
    requestOf(id) {
      const entry = entries.byId.get(id);
      return entry === undefined || entry.state === 'finished' ? undefined : octetsOf(entry, segment);
    },
    resultOf(id) {
      const entry = entries.byId.get(id);
      return entry?.state === 'finished' ? octetsOf(entry, segment) : undefined;
    },
    outputOf: (id) => ((entries.byId.get(id)?.spillBytes ?? 0) > 0 ? spill.read(id) : []),
    unreceipted: () => [...entries.unreceipted],
    leftOpen: () => leftOpen,
    beginEpoch(nowMs) {
      const { seq, welcomeSeq, welcomeMs } = entries.standing;
      return write({ kind: 'standing', seq, epoch_ms: nowMs, welcome_seq: welcomeSeq, welcome_ms: welcomeMs });
    },
    welcomed(welcomeSeq, nowMs) {
      const { seq, epochMs } = entries.standing;
      return write({ kind: 'standing', seq, epoch_ms: epochMs, welcome_seq: welcomeSeq, welcome_ms: nowMs });
    },
    async close() {
      await queue.flush();
      segment.close();
    },
  };
}

function octetsOf({ octets }: Entry, segment: Segment | undefined): Buffer | undefined {
  if (octets === undefined || Buffer.isBuffer(octets)) return octets;
  return segment?.read(octets.offset, octets.length);
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
    bytes += 512 + (item.octets?.length ?? 0);
    if (bytes < FRAME_BODY_BYTES) continue;
    yield group;
    [group, bytes] = [[], 0];
  }
  if (group.length > 0) yield group;
}

function lengthOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Tells machines apart without giving their id away; the same for all that have none. */
function readMachine(): string {
  let id = '';
  try {
    id = readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    // No machine id: a copied disk is then told by journal_seq alone.
  }
  return createHash('sha256').update(`muster-journal ${id}`).digest('hex').slice(0, 32);
}
