import { isMusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { Journal, JournalEntry } from '../journal/contract.js';
import type { Handover } from '../journal/records.js';
import type { Performer } from './perform.js';
import { type ReceivedRequest, rereadRequest } from './received.js';
import { CANCELLED, type ExecutionEnd, errorEnd } from './run-action.js';

/** What becomes of an execution that a crash left open. */
export type RecoverDeps = Pick<Performer, 'conclude' | 'concludeUnread'> &
  Readonly<{
    journal: Journal;
    /** It had not started and still may. */
    resume: (received: ReceivedRequest) => void;
    /** Its process has handed it over to this one; false when the action is not there to follow it. */
    takeUp: (received: ReceivedRequest, handover: Handover, wasCancelled: boolean) => boolean;
    log: Logger;
  }>;

/**
 * Takes up again what only waited or was handed over to this process, and ends everything else that a crash left open as interrupted. Resolves when all
 * that has ended is on disk.
 */
export async function recoverOpen(deps: RecoverDeps): Promise<void> {
  await Promise.all(deps.journal.leftOpen().map((entry) => recoverOne(entry, deps)));
}

async function recoverOne(
  entry: JournalEntry,
  { journal, resume, takeUp, log, ...performer }: RecoverDeps,
): Promise<void> {
  const { id, sha256, state, launched, cancelled, handover } = entry;
  if (sha256 === undefined) return;
  const interrupted = errorEnd('interrupted', 'The agent ended while the action was under way.');
  const howFar = launched ? 'yes' : 'unknown';
  const received = rereadOpen({ id, sha256 }, { journal, log });
  const conclude = (end: ExecutionEnd): Promise<void> =>
    received === undefined ? performer.concludeUnread({ id, sha256 }, end) : performer.conclude(received, end);
  if (cancelled !== undefined && state === 'accepted') return conclude(CANCELLED);
  if (received === undefined) return conclude({ ...interrupted, launched: howFar });
  if (handover !== undefined && takeUp(received, handover, cancelled !== undefined)) return;
  if (state === 'accepted' && received.request.spread !== undefined) return resume(received);
  log.warn({ execution_id: id }, 'execution was interrupted');
  return conclude({ ...interrupted, launched: state === 'accepted' ? 'no' : howFar });
}

/** Undefined when the disk gives it no more, or when it fits no request of this release: then it can only be ended. */
function rereadOpen(
  { id, sha256 }: Readonly<{ id: string; sha256: string }>,
  { journal, log }: Pick<RecoverDeps, 'journal' | 'log'>,
): ReceivedRequest | undefined {
  try {
    return rereadRequest(journal.requestOf(id) ?? Buffer.alloc(0), sha256);
  } catch (err) {
    if (!isMusterError(err)) throw err;
    log.error({ execution_id: id, err }, 'open request cannot be read, it ends as interrupted');
    return undefined;
  }
}
