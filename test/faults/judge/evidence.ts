import type { Deed, LedgerLine } from './ledger.js';

/** An execution that the REST API accepted, and what has to come of it. */
export type Accepted = Readonly<{
  executionId: string;
  invocationId: string;
  node: string;
  deed: Deed;
  timeoutMs: number;
  /** When it may start: from `issuedMs` less 120 s to before `expiresMs`. Milliseconds since 1970, like all times here. */
  issuedMs: number;
  expiresMs: number;
  /** True once its cancel was asked for. */
  cancelAsked: boolean;
  /** When the REST API took that cancel; undefined when it never did. */
  cancelTakenMs: number | undefined;
  /** Whether it answered that it had ended as cancelled. */
  isToldCancelled: boolean;
  /** Where in the scenario it was asked for; stands in the faults. */
  label: string;
}>;

/** What the controller says of an execution. */
export type Outcome = Readonly<{
  status: string;
  /** True for a status after which nothing more is expected. */
  ended: boolean;
  provisional: boolean;
  reason: string | null;
  exitCode: number | null;
  errorCode: string | null;
  error: string | null;
  launched: string | null;
  /** All of it, put together from result and chunks; undefined when there is no result. */
  stdout: Readonly<{ bytes: Buffer; complete: boolean; truncated: boolean }> | undefined;
  /** When it ended, by its result or by the controller, whichever says it earlier. */
  endMs: number | undefined;
}>;

/** What a node's journal holds of an execution. */
export type JournalFact = Readonly<{ state: string; receipted: boolean; resultSha256: string | undefined }>;

/** One process of an agent: from its start to its end. */
export type Life = Readonly<{
  fromMs: number;
  /** Undefined while it lives. */
  toMs: number | undefined;
  /** When it was first asked to stop; undefined when it never was. */
  stopMs: number | undefined;
  /** `crashed`: it was given no chance to end by itself. */
  end: 'alive' | 'crashed' | 'stopped';
  /** When it was made to stand still by SIGSTOP; `toMs` is undefined while it still does. */
  pauses: readonly Readonly<{ fromMs: number; toMs: number | undefined }>[];
}>;

/** What one agent leaves behind. */
export type AgentEvidence = Readonly<{
  node: string;
  /** As they were before the stop at the end of the run: that one explains nothing. */
  lives: readonly Life[];
  /** By execution id; undefined when the journal cannot be opened. */
  journal: ReadonlyMap<string, JournalFact> | undefined;
  /** Open file descriptors when it had just started and when all was over; undefined when it was not alive then. */
  descriptors: Readonly<{ idle: number; after: number }> | undefined;
  /** Exit code of the stop at the end; undefined when it was not alive then, null when a signal ended it. */
  exitCode: number | null | undefined;
}>;

/** Everything that the checker judges by. */
export type Evidence = Readonly<{
  accepted: readonly Accepted[];
  ledger: Readonly<{ lines: readonly LedgerLine[]; unreadable: readonly string[] }>;
  /** By execution id. */
  outcomes: ReadonlyMap<string, Outcome>;
  store: Readonly<{
    /** SHA-256 of the result's payload, by execution id. */
    results: ReadonlyMap<string, string>;
    /** How many rows of the audit chain say that an execution ended by a result, by execution id. */
    ends: ReadonlyMap<string, number>;
    /** `seq` of the first row of the audit chain that does not hold. */
    brokenAuditRow: number | undefined;
    /** What the controller refused to believe, as `code subject`. */
    refusals: readonly string[];
  }>;
  agents: readonly AgentEvidence[];
  /** The lives of the broker and of each controller, as they were before the stop at the end of the run. */
  core: readonly (readonly Life[])[];
  /** Processes of hooks that are alive. */
  survivors: readonly Readonly<{ pid: number; command: string }>[];
  /** Files that hold a secret. */
  leaks: readonly string[];
}>;

/** What a scenario provokes and what therefore is no fault. */
export type Allowances = Readonly<{
  /** Reasons with which agents may reject. */
  rejections?: readonly string[];
  /** Errors with which executions may end that were never started, beside `interrupted`. */
  errors?: readonly AllowedError[];
  /** The scenario kills programs of hooks from outside, after their first line in the ledger. */
  killsHooks?: boolean;
  /** Labels of executions whose programs are killed from outside before their first line. */
  killsAtLaunch?: RegExp;
  /** Codes of what the controller may refuse to believe: forged and replayed messages. */
  refusals?: readonly string[];
  /** How long after its program's end a result may still be lost to a crash; the disk may be stuck meanwhile. */
  recordMs?: number;
  /** From the agent's decision to start to the first line of a hook; somebody may hold up both meanwhile. */
  launchMs?: number;
  /** For how long at a time the links let nothing pass, of which no life of a part tells. */
  linkDownMs?: number;
  /** Which share of the executions that were to succeed has to; a fifth when absent. */
  successShare?: number;
}>;

/** An error code, the node that may say so, and the labels of what it may say it of; each when absent. */
export type AllowedError = Readonly<{ code: string; node?: string; label?: RegExp }>;
