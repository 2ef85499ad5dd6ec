import { judge, type Verdict } from './checker.js';
import type { Accepted, AgentEvidence, Allowances, Evidence, Life, Outcome } from './evidence.js';
import { type LedgerLine, outputOf } from './ledger.js';

export const ID = '01a1fcf6-55ed-7369-98dc-1f05290ca8fc';
export const NOW_MS = Date.parse('2026-11-21T08:00:00Z');
export const SHA = 'a'.repeat(64);

export const ACCEPTED: Accepted = {
  ...{ executionId: ID, invocationId: 'invocation', node: 'pump-7', label: 'test' },
  ...{ cancelAsked: false, cancelTakenMs: undefined, isToldCancelled: false },
  deed: { exitCode: 0, bytes: 100, ms: 10, leaves: 'nothing', showsEnvironment: false },
  ...{ timeoutMs: 30_000, issuedMs: NOW_MS, expiresMs: NOW_MS + 60_000 },
};
export const SUCCESS: Outcome = {
  ...{ status: 'success', ended: true, provisional: false, reason: null, exitCode: 0 },
  ...{ errorCode: null, error: null, launched: null },
  stdout: { bytes: outputOf(ID, 100), complete: true, truncated: false },
  endMs: NOW_MS + 150,
};
export const EMPTY = { bytes: Buffer.alloc(0), complete: true, truncated: false };
export const INTERRUPTED: Outcome = {
  ...{ ...SUCCESS, status: 'error', exitCode: -1, errorCode: 'interrupted', launched: 'yes' },
  stdout: EMPTY,
};
/** Its time is over, whichever way it is told. */
export const EXPIRED: Outcome = {
  ...{
    ...SUCCESS,
    status: 'expired',
    reason: 'expired',
    exitCode: -1,
    errorCode: 'expired',
    launched: 'no',
    stdout: EMPTY,
  },
  endMs: NOW_MS + 60_100,
};
export const CANCELLED: Outcome = {
  ...SUCCESS,
  status: 'cancelled',
  exitCode: -1,
  launched: 'yes',
  endMs: NOW_MS + 300,
};
export const TIMED_OUT: Outcome = { ...SUCCESS, status: 'timeout', exitCode: -1, endMs: NOW_MS + 1_050 };
export const START_FAILED: Outcome = {
  ...{ ...SUCCESS, status: 'error', exitCode: -1, errorCode: 'start_failed', stdout: EMPTY },
};
export const SLOW = { timeoutMs: 1_000, deed: { ...ACCEPTED.deed, ms: 9_000 } };
export const ALIVE: Life = { fromMs: NOW_MS - 1000, toMs: undefined, stopMs: undefined, end: 'alive', pauses: [] };
export const AGENT: AgentEvidence = {
  node: 'pump-7',
  lives: [ALIVE],
  journal: new Map([[ID, { state: 'finished', receipted: true, resultSha256: SHA }]]),
  descriptors: { idle: 20, after: 20 },
  exitCode: 0,
};

export type Changes = Readonly<{
  accepted?: Partial<Accepted>;
  ledger?: readonly LedgerLine[];
  unreadable?: readonly string[];
  outcome?: Partial<Outcome> | null;
  agent?: Partial<AgentEvidence>;
  store?: Partial<Evidence['store']>;
  rest?: Partial<Pick<Evidence, 'core' | 'survivors' | 'leaks'>>;
}>;

/** The verdict on one execution that went well, but for these changes. */
export function judged(changes: Changes = {}, allowances: Allowances = {}): Verdict {
  const { outcome = {} } = changes;
  const evidence: Evidence = {
    accepted: [{ ...ACCEPTED, ...changes.accepted }],
    ledger: { lines: changes.ledger ?? [started(), done()], unreadable: changes.unreadable ?? [] },
    outcomes: new Map(outcome === null ? [] : [[ID, { ...SUCCESS, ...outcome }]]),
    store: {
      results: new Map([[ID, SHA]]),
      ends: new Map([[ID, 1]]),
      brokenAuditRow: undefined,
      refusals: [],
      ...changes.store,
    },
    agents: [{ ...AGENT, ...changes.agent }],
    ...{ core: [[ALIVE], [ALIVE]], survivors: [], leaks: [], ...changes.rest },
  };
  return judge(evidence, allowances);
}

export function started(atMs = 100, id = ID): LedgerLine {
  return { kind: 'start', id, pid: 4711, atMs: NOW_MS + atMs };
}

export function done(exitCode = 0, atMs = 110): LedgerLine {
  return { kind: 'end', id: ID, exitCode, atMs: NOW_MS + atMs };
}

export function crashAt(atMs: number): Life[] {
  return [
    { ...ALIVE, toMs: NOW_MS + atMs, end: 'crashed' },
    { ...ALIVE, fromMs: NOW_MS + atMs + 200 },
  ];
}

/** A part that was killed and came back. */
export function awayBetween(fromMs: number, toMs: number): Life[] {
  return [
    { ...ALIVE, fromMs: NOW_MS - 60_000, toMs: NOW_MS + fromMs, end: 'crashed' },
    { ...ALIVE, fromMs: NOW_MS + toMs },
  ];
}

/** An agent that was asked to stop, took a second for it, and came back. */
export function stopAt(atMs: number): Life[] {
  return [
    { ...ALIVE, stopMs: NOW_MS + atMs, toMs: NOW_MS + atMs + 1_000, end: 'stopped' },
    { ...ALIVE, fromMs: NOW_MS + atMs + 1_200 },
  ];
}

/** An agent that stood still for a while. */
export function pausedAt(atMs: number, forMs = 8_000): Life[] {
  return [{ ...ALIVE, fromMs: NOW_MS - 60_000, pauses: [{ fromMs: NOW_MS + atMs, toMs: NOW_MS + atMs + forMs }] }];
}
