import type { EntryState, Handover } from './records.js';

/** What the journal knows of one execution. */
export type JournalEntry = Readonly<{
  id: string;
  /** Of the request octets; undefined for a cancel that came before its request. */
  sha256: string | undefined;
  expiresMs: number;
  state: EntryState;
  /** True once the action's program was started; survives a crash as far as the disk knows. */
  launched: boolean;
  /** Why it was cancelled; undefined when it was not. */
  cancelled: string | undefined;
  /** What its process left to the next one, as far as the disk knows; undefined when it does not outlive its process. */
  handover: Handover | undefined;
  receipted: boolean;
}>;

/**
 * The durable record of what this node has started. `find` sees a change at once; a promise resolves when the change
 * is on disk. Every write may throw {MusterError} storage_failed: then nothing of it counts.
 */
export type Journal = Readonly<{
  /** Starts on disk, for hello. */
  readonly seq: number;
  /** `now` of the welcome that began this journal, or its epoch; undefined before it. */
  readonly epochMs: number | undefined;
  readonly welcomeSeq: number;
  /** The latest end of a request whose id was forgotten in this epoch; 0 when none was. */
  readonly forgottenMs: number;
  /** What it takes on disk, output included. */
  readonly bytes: number;
  find: (id: string) => JournalEntry | undefined;
  /** `starting`: accepted and starting in one write, for what starts at once. */
  accept: (
    request: Readonly<{ id: string; sha256: string; octets: Buffer; expiresMs: number; starting: boolean }>,
  ) => Promise<void>;
  starting: (id: string) => Promise<void>;
  /** The program runs. Not waited for: a crash before it is on disk reports `launched: unknown`. */
  launched: (id: string) => void;
  /** It outlives its process: the next one ends it by this. The last one counts. */
  handOver: (id: string, handover: Handover) => Promise<void>;
  /** Whether something that has not ended is handed over. */
  hasHandover: () => boolean;
  /** Also for an id that was never seen: a tombstone, so that its late request does not start. */
  cancel: (cancel: Readonly<{ id: string; reason: string; expiresMs: number }>) => Promise<void>;
  /** `output`: the `muster-output` payloads that belong to the result, kept beside the journal for `resend`. */
  finish: (id: string, result: Buffer, output: Iterable<Buffer>) => Promise<void>;
  receipt: (ids: readonly string[]) => Promise<void>;
  /** Request octets of an entry that has not finished. */
  requestOf: (id: string) => Buffer | undefined;
  /** Result octets of an entry that has finished, once they are on disk: before that nobody may hear of them. */
  resultOf: (id: string) => Buffer | undefined;
  /** Output payloads of a finished entry by seq, from this one (0) on; ends at the first that is lost or damaged. */
  outputOf: (id: string, fromSeq?: number) => Generator<Buffer, void>;
  /** Finished, on disk and without a receipt, oldest first. */
  unreceipted: () => readonly string[];
  /** Accepted or starting when the journal was opened: what a crash left open. */
  leftOpen: () => readonly JournalEntry[];
  /**
   * Begins anew with the welcome of `nowMs`, or later than the epoch before: requests issued earlier are refused from
   * now on. `seenSeq`, the starts
   * that the controller has seen, is where an older copy goes on counting.
   */
  beginEpoch: (nowMs: number, seenSeq?: number) => Promise<void>;
  welcomed: (seq: number, nowMs: number) => Promise<void>;
  /** Resolves once the writes that are under way have ended, well or badly; not while a disk hangs. Never rejects. */
  answers: () => Promise<void>;
  close: () => Promise<void>;
}>;
