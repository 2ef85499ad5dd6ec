import type { EntryState, Handover, JournalRecord } from './records.js';

/** Where raw bytes lie in the journal: the number of the file, and the place in it. */
export type Place = Readonly<{ segment: number; offset: number; length: number }>;

/** Raw bytes that an entry keeps: in memory until they are on disk, then by their place. */
export type Octets = Buffer | Place;

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
  /** What its process left to the next one; null when it does not outlive its process. */
  handover: Handover | null;
  receipted: boolean;
  /** When it ended by the node's clock; of what a welcome has followed, no earlier than that welcome. */
  finishedMs: number;
  /** No welcome has come since it ended. */
  sinceWelcome: boolean;
  /** Bytes of output beside the journal. */
  spillBytes: number;
  /** Of the request until the execution has finished, then of the result; undefined once dropped. */
  octets: Octets | undefined;
  /** The file that holds its oldest record that counts; Infinity until that is on disk. */
  base: number;
  /** What it was before an end that is not on disk yet; undefined when all of it is. */
  undo: Undo | undefined;
};

/** The part of an entry that its end changes. */
export type Undo = Readonly<Pick<Entry, 'state' | 'finishedMs' | 'sinceWelcome' | 'spillBytes' | 'octets'>>;

/** The counters that hello tells, and `forgottenMs`: the latest end of a request whose id was forgotten. */
export type Standing = {
  seq: number;
  epochMs: number | null;
  welcomeSeq: number;
  welcomeMs: number;
  forgottenMs: number;
};

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
  /** About how many bytes of the files are still needed. */
  readonly liveBytes: number;
  /** Bytes of output beside them. */
  readonly spillBytes: number;
  /** Takes in what a record says: of a file that is read, or about to be written. */
  apply: (said: Readonly<{ record: JournalRecord; octets?: Octets | undefined; segment?: number }>) => void;
  /** The record is on disk, its octets at this place. */
  settle: (record: JournalRecord, place: Place) => void;
  /** Takes back what a record said that did not reach the disk. */
  revert: (record: JournalRecord) => void;
  remove: (id: string) => void;
  /** Forgets the octets and the output of an entry, keeps that it happened. */
  thin: (entry: Entry) => void;
}>;

export function createEntries(): Entries {
  const byId = new Map<string, Entry>();
  const open = new Set<string>();
  const unreceipted = new Set<string>();
  const standing: Standing = { seq: 0, epochMs: null, welcomeSeq: 0, welcomeMs: 0, forgottenMs: 0 };
  let liveBytes = 0;
  let spillBytes = 0;

  function count(entry: Entry, sign: 1 | -1): void {
    liveBytes += sign * (ENTRY_BYTES + (entry.octets?.length ?? 0));
    spillBytes += sign * entry.spillBytes;
  }

  function put(entry: Entry): void {
    remove(entry.id);
    byId.set(entry.id, entry);
    count(entry, 1);
    list(entry);
  }

  /** In place, since the order of the map is the order of acceptance. */
  function change(id: string, changes: Partial<Entry>): void {
    const entry = byId.get(id);
    if (entry === undefined) return;
    count(entry, -1);
    Object.assign(entry, changes);
    count(entry, 1);
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
    count(entry, -1);
  }

  function stand(record: Extract<JournalRecord, { kind: 'standing' }>): void {
    const isWelcome = record.welcome_seq !== standing.welcomeSeq || record.welcome_ms !== standing.welcomeMs;
    Object.assign(standing, {
      seq: record.seq,
      epochMs: record.epoch_ms,
      welcomeSeq: record.welcome_seq,
      welcomeMs: record.welcome_ms,
      forgottenMs: record.forgotten_ms,
    });
    if (!isWelcome) return;
    for (const id of unreceipted) {
      const entry = byId.get(id);
      if (entry?.sinceWelcome !== true) continue;
      entry.finishedMs = Math.max(entry.finishedMs, record.welcome_ms);
      entry.sinceWelcome = false;
    }
  }

  return {
    byId,
    open,
    unreceipted,
    standing,
    get liveBytes() {
      return liveBytes;
    },
    get spillBytes() {
      return spillBytes;
    },
    apply({ record, octets, segment }) {
      const base = segment ?? Number.POSITIVE_INFINITY;
      switch (record.kind) {
        case 'journal':
        case 'dropped':
          return;
        case 'standing':
          stand(record);
          return;
        case 'accepted':
          standing.seq = Math.max(standing.seq, record.seq);
          put({ ...blankEntry(record.id), ...acceptedFields(record), octets, base });
          return;
        case 'starting':
          standing.seq = Math.max(standing.seq, record.seq);
          change(record.id, { state: 'starting' });
          return;
        case 'launched':
          change(record.id, { launched: true });
          return;
        case 'handed_over':
          // What is about to be written counts once it is: nothing may begin on the strength of it before.
          if (segment !== undefined) change(record.id, { handover: record.handover });
          return;
        case 'cancelled':
          if (byId.has(record.id)) change(record.id, { cancelled: record.reason });
          else put({ ...blankEntry(record.id), cancelled: record.reason, expiresMs: record.expires_ms, base });
          return;
        case 'finished':
          change(record.id, {
            state: 'finished',
            finishedMs: record.at_ms,
            sinceWelcome: true,
            spillBytes: record.spill_bytes,
            octets,
            undo: segment === undefined ? undoOf(byId.get(record.id)) : undefined,
          });
          return;
        case 'receipted':
          for (const id of record.ids) if (byId.get(id)?.state === 'finished') change(id, { receipted: true });
          return;
        case 'entry':
          put({ ...fromRecord(record), octets: record.octets === 0 ? undefined : octets, base, undo: undefined });
          return;
      }
    },
    settle(record, place) {
      const entry = 'id' in record ? byId.get(record.id) : undefined;
      if (entry === undefined) return;
      const octets = place.length === 0 ? undefined : place;
      if (record.kind === 'entry' || entry.base === Number.POSITIVE_INFINITY) entry.base = place.segment;
      if (record.kind === 'handed_over') entry.handover = record.handover;
      if (record.kind === 'finished') Object.assign(entry, { octets, undo: undefined });
      // Its end may have been told while this was being written: then these are the octets of before.
      else if (record.kind !== 'entry' && record.kind !== 'accepted') return;
      else if (entry.undo !== undefined) entry.undo = { ...entry.undo, octets };
      else entry.octets = octets;
    },
    revert(record) {
      if (record.kind === 'accepted') {
        const cancelled = byId.get(record.id)?.cancelled ?? null;
        remove(record.id);
        // A cancel that came meanwhile is a record of its own, and stays.
        if (cancelled !== null) put({ ...blankEntry(record.id), cancelled, expiresMs: record.expires_ms });
      } else if (record.kind === 'starting') change(record.id, { state: 'accepted' });
      else if (record.kind === 'finished') change(record.id, { ...byId.get(record.id)?.undo, undo: undefined });
    },
    remove,
    thin: ({ id }) => change(id, { octets: undefined, spillBytes: 0 }),
  };
}

/** The record that says all that the disk knows of an entry, with the octets that belong to it. */
export function toRecord(entry: Entry): { record: JournalRecord; octets: Octets | undefined } {
  const { state, finishedMs, sinceWelcome, spillBytes, octets } = entry.undo ?? entry;
  const record = {
    kind: 'entry',
    id: entry.id,
    sha256: entry.sha256,
    expires_ms: entry.expiresMs,
    state,
    launched: entry.launched,
    cancelled: entry.cancelled,
    handover: entry.handover,
    receipted: entry.receipted,
    at_ms: finishedMs,
    since_welcome: sinceWelcome,
    spill_bytes: spillBytes,
    octets: octets?.length ?? 0,
  } as const;
  return { record, octets };
}

function fromRecord(record: Extract<JournalRecord, { kind: 'entry' }>): Omit<Entry, 'octets' | 'base' | 'undo'> {
  return {
    id: record.id,
    sha256: record.sha256,
    expiresMs: record.expires_ms,
    state: record.state,
    launched: record.launched,
    cancelled: record.cancelled,
    handover: record.handover,
    receipted: record.receipted,
    finishedMs: record.at_ms,
    sinceWelcome: record.since_welcome,
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
    handover: null,
    receipted: false,
    finishedMs: 0,
    sinceWelcome: false,
    spillBytes: 0,
    octets: undefined,
    base: Number.POSITIVE_INFINITY,
    undo: undefined,
  };
}

function undoOf(entry: Entry | undefined): Undo | undefined {
  if (entry === undefined) return undefined;
  const { state, finishedMs, sinceWelcome, spillBytes, octets } = entry;
  return entry.undo ?? { state, finishedMs, sinceWelcome, spillBytes, octets };
}
