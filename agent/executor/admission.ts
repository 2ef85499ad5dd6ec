import type { RejectionReason } from '../../protocol/messages/ack.js';
import type { Request } from '../../protocol/messages/request.js';
import type { Action } from '../actions/action.js';
import type { JournalEntry } from '../journal/contract.js';
import { isSpread } from './spread-queue.js';
import { sideOfWindow } from './window.js';

/** What a node knows of itself from the last welcome. `nowMs` is the corrected time. */
export type Standing = Readonly<{
  nowMs: number;
  enrolledAtMs: number;
  /** Since when this node is a member, by group. */
  groups: ReadonlyMap<string, number>;
}>;

/** What decides about a request. `standing` is undefined before this process has had a welcome. */
export type AdmissionState = Readonly<{
  /** A person on the node asks: now, so that no clock and no controller has to say when. */
  isLocal: boolean;
  enabled: boolean;
  /** The agent has restarted too often: only actions of risk `read` may run. */
  readsOnly: boolean;
  shuttingDown: boolean;
  entry: JournalEntry | undefined;
  standing: Standing | undefined;
  epochMs: number | undefined;
  active: number;
  /** How many executions of an action run. */
  activeOf: (name: string) => number;
  maxConcurrent: number;
  find: (name: string) => Action | undefined;
}>;

/** Run it, answer with a rejection, or answer as the first time. `reused`: the id came with other content. */
export type Admission =
  | Readonly<{ kind: 'run'; action: Action }>
  | Readonly<{ kind: 'rejected'; reason: RejectionReason; reused?: true }>
  | Readonly<{ kind: 'repeat' }>;

/**
 * What to do with a verified request. Pure; the order of the checks is part of the contract: disabled, shutting down,
 * duplicate, window, capacity, known name (P-3, P-26…P-30, P-53), and last whether there is room for this one action (promise 24 among it).
 */
export function admit(request: Request, sha256: string, state: AdmissionState): Admission {
  if (!state.enabled) return { kind: 'rejected', reason: 'actions_disabled' };
  if (state.shuttingDown) return { kind: 'rejected', reason: 'shutting_down' };
  if (state.entry !== undefined) return admitKnown(state.entry, sha256);
  const outside = state.isLocal ? undefined : outsideWindow(request, state);
  if (outside !== undefined) return { kind: 'rejected', reason: outside };
  const isFull = (limit: number, active: number): boolean => !isSpread(request) && active >= limit;
  if (isFull(state.maxConcurrent, state.active)) return { kind: 'rejected', reason: 'max_concurrent_reached' };
  const action = state.find(request.action); // a Map: the name comes from the wire
  if (action === undefined) return { kind: 'rejected', reason: 'unknown_action' };
  if (state.readsOnly && action.risk !== 'read') return { kind: 'rejected', reason: 'max_concurrent_reached' };
  if (isFull(action.concurrency ?? Number.POSITIVE_INFINITY, state.activeOf(action.name)))
    return { kind: 'rejected', reason: 'max_concurrent_reached' };
  return { kind: 'run', action };
}

function admitKnown(entry: JournalEntry, sha256: string): Admission {
  if (entry.state === 'tombstone') return { kind: 'rejected', reason: 'cancelled' };
  if (entry.sha256 !== sha256) return { kind: 'rejected', reason: 'duplicate_execution_id', reused: true };
  return entry.state === 'finished' ? { kind: 'repeat' } : { kind: 'rejected', reason: 'duplicate_execution_id' };
}

function outsideWindow(request: Request, { standing, epochMs }: AdmissionState): RejectionReason | undefined {
  if (standing === undefined || epochMs === undefined) return 'not_yet_valid';
  const side = sideOfWindow(request, standing.nowMs);
  if (side !== undefined) return side === 'early' ? 'not_yet_valid' : 'expired';
  if (Date.parse(request.issued_at) < epochMs) return 'before_epoch';
  return isMember(request, standing) ? undefined : 'wrong_target';
}

/** A broadcast counts for the nodes that were members by `roster_at`; a node's own request for that node. */
export function isMember({ target, roster_at }: Request, { enrolledAtMs, groups }: Standing): boolean {
  if ('node' in target) return true;
  const since = 'group' in target ? groups.get(target.group) : enrolledAtMs;
  return since !== undefined && roster_at !== undefined && since <= Date.parse(roster_at);
}
