import type { EntryState, JournalRecord, PlacedRecord } from './records.js';

/** Raw bytes that an entry keeps: in memory until they are on disk, then by their place in the journal file. */
export type Octets = Buffer | Readonly<{ offset: number; length: number }>;

/** What the journal knows of one execution. Times are milliseconds since 1970. */
export type Entry = {
  readonly id: string;
  /** SHA-256 of the request's octets; null for a tombstone. */
  sha256: string | null;
  expiresMs: number;
  state: EntryState;
  /** True once the action itself has begun. */
  launched: boolean;
  /** Why it was cancelled; null when it was not. */
  cancelled: string | null;
  receipted: boolean;
  finishedMs: number;
  /** Bytes of output beside the journal. */
  spillBytes: number;
  /** Of the request until the execution has finished, then of the result; undefined once dropped. */
  octets: Octets | undefined;
};

/** The counters that hello tells. */
export type Standing = { seq: number; epochMs: number | null; welcomeSeq: number; welcomeMs: number };

/** About what an entry takes in the file beside its octets. */
const ENTRY_BYTES = 320;

/** The journal's memory: entries by execution id in the order of their acceptance, and what hello asks of them. */
export type Entries = Readonly<{
  byId: ReadonlyMap<string, Entry>;
  /** Accepted or starting, oldest first. */
  open: ReadonlySet<string>;
  /** Finished without a receipt, oldest first. */
  unreceipted: ReadonlySet<string>;
  standing: Standing;
  /** Bytes of the file that are still needed, and of output beside it. */
  readonly liveBytes: number;
  apply: (placed: Readonly<{ record: JournalRecord; octets?: Octets | undefined }>) => void;
  /** Takes back what a record said that did not reach the disk; `before` is the entry as it was before it. */
  revert: (record: JournalRecord, before: Entry | undefined) => void;
  remove: (id: string) => void;
  /** Forgets the octets and the output of an entry, keeps that it happened. */
  thin: (entry: Entry) => void;
}>;

export function createEntries(): Entries {
  const byId = new Map<string, Entry>();
  const open = new Set<string>();
  const unreceipted = new Set<string>();
  const standing: Standing = { seq: 0, epochMs: null, welcomeSeq: 0, welcomeMs: 0 };
  let liveBytes = 0;

  function put(entry: Entry): void {
    remove(entry.id);
    byId.set(entry.id, entry);
    liveBytes += costOf(entry);
    list(entry);
  }

  /** In place, since the order of the map is the order of acceptance. */
  function change(id: string, changes: Partial<Entry>): void {
    const entry = byId.get(id);
    if (entry === undefined) return;
    liveBytes -= costOf(entry);
    Object.assign(entry, changes);
    liveBytes += costOf(entry);
    list(entry);
  }

  function list({ id, state, receipted }: Entry): void {
    if (state === 'accepted' || state === 'starting') open.add(id);
    else open.delete(id);
    if (state === 'finished' && !receipted) unreceipted.add(id);
    else unreceipted.delete(id);
  }

  function remove(id: string): void {
    const entry = byId.get(id);
    if (entry === undefined) return;
    byId.delete(id);
    open.delete(id);
    unreceipted.delete(id);
    liveBytes -= costOf(entry);
  }

  return {
    byId,
    open,
    unreceipted,
    standing,
    get liveBytes() {
      return liveBytes;
    },
    apply({ record, octets }) {
      switch (record.kind) {
        case 'journal':
          return;
        case 'standing':
          Object.assign(standing, {
            seq: record.seq,
            epochMs: record.epoch_ms,
            welcomeSeq: record.welcome_seq,
            welcomeMs: record.welcome_ms,
          });
          return;
        case 'accepted':
          standing.seq = Math.max(standing.seq, record.seq);
          put({ ...blankEntry(record.id), ...acceptedFields(record), octets });
          return;
        case 'starting':
          standing.seq = Math.max(standing.seq, record.seq);
          change(record.id, { state: 'starting' });
          return;
        case 'launched':
          change(record.id, { launched: true });
          return;
        case 'cancelled':
          if (byId.has(record.id)) change(record.id, { cancelled: record.reason });
          else put({ ...blankEntry(record.id), cancelled: record.reason, expiresMs: record.expires_ms });
          return;
        case 'finished':
          change(record.id, {
            state: 'finished',
            finishedMs: record.at_ms,
            spillBytes: record.spill_bytes,
            octets,
          });
          return;
        case 'receipted':
          for (const id of record.ids) if (byId.get(id)?.state === 'finished') change(id, { receipted: true });
          return;
        case 'entry':
          put({ ...fromRecord(record), octets: record.octets === 0 ? undefined : octets });
          return;
      }
    },
    revert(record, before) {
      if (record.kind === 'accepted') {
        const cancelled = byId.get(record.id)?.cancelled ?? null;
        remove(record.id);
        // A cancel that came meanwhile is a record of its own, and stays.
        if (cancelled !== null) put({ ...blankEntry(record.id), cancelled, expiresMs: record.expires_ms });
      } else if (record.kind === 'starting') change(record.id, { state: 'accepted' });
      else if (record.kind === 'finished' && before !== undefined) {
        const { state, finishedMs, spillBytes, octets } = before;
        change(record.id, { state, finishedMs, spillBytes, octets });
      }
    },
    remove,
    thin: ({ id }) => change(id, { octets: undefined, spillBytes: 0 }),
  };
}

/** The record that says all of an entry, for a compaction. */
export function toRecord(entry: Entry): JournalRecord {
  return {
    kind: 'entry',
    id: entry.id,
    sha256: entry.sha256,
    expires_ms: entry.expiresMs,
    state: entry.state,
    launched: entry.launched,
    cancelled: entry.cancelled,
    receipted: entry.receipted,
    at_ms: entry.finishedMs,
    spill_bytes: entry.spillBytes,
    octets: entry.octets?.length ?? 0,
  };
}

/** Where the octets of a record that was read lie; undefined when it has none. */
export function placeOf({ octets, offset }: PlacedRecord): Octets | undefined {
  return octets === 0 ? undefined : { offset, length: octets };
}

function fromRecord(record: Extract<JournalRecord, { kind: 'entry' }>): Omit<Entry, 'octets'> {
  return {
    id: record.id,
    sha256: record.sha256,
    expiresMs: record.expires_ms,
    state: record.state,
    launched: record.launched,
    cancelled: record.cancelled,
    receipted: record.receipted,
    finishedMs: record.at_ms,
    spillBytes: record.spill_bytes,
  };
}

function acceptedFields(record: Extract<JournalRecord, { kind: 'accepted' }>): Partial<Entry> {
  return {
    sha256: record.sha256,
    expiresMs: record.expires_ms,
    state: record.starting ? 'starting' : 'accepted',
  };
}

function blankEntry(id: string): Entry {
  return {
    id,
    sha256: null,
    expiresMs: 0,
    state: 'tombstone',
    launched: false,
    cancelled: null,
    receipted: false,
    finishedMs: 0,
    spillBytes: 0,
    octets: undefined,
  };
}

function costOf(entry: Entry): number {
  return ENTRY_BYTES + (entry.octets?.length ?? 0) + entry.spillBytes;
}
