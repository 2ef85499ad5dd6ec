import type { Logger } from '../../runtime/logger.js';
import type { Journal, JournalEntry } from '../journal/contract.js';
import { type ReceivedRequest, rereadRequest } from './received.js';
import { CANCELLED, type ExecutionEnd, errorEnd } from './run-action.js';

/** What becomes of an execution that a crash left open. */
export type RecoverDeps = Readonly<{
  journal: Journal;
  conclude: (received: ReceivedRequest, end: ExecutionEnd) => Promise<void>;
  /** It had not started and still may. */
  resume: (received: ReceivedRequest) => void;
  log: Logger;
}>;

/**
 * Takes up again what only waited, and ends everything else that a crash left open as interrupted. Resolves when all
 * that has ended is on disk.
 */
export async function recoverOpen(deps: RecoverDeps): Promise<void> {
  await Promise.all(deps.journal.leftOpen().map((entry) => recoverOne(entry, deps)));
}

async function recoverOne(entry: JournalEntry, { journal, conclude, resume, log }: RecoverDeps): Promise<void> {
  const { id, sha256, state, launched, cancelled } = entry;
  const octets = journal.requestOf(id);
  if (octets === undefined || sha256 === undefined) return;
  const received = rereadRequest(octets, sha256);
  if (cancelled !== undefined && state === 'accepted') return conclude(received, CANCELLED);
  if (state === 'accepted' && received.request.spread !== undefined) return resume(received);
  log.warn({ execution_id: id }, 'execution was interrupted');
  const end = errorEnd('interrupted', 'The agent ended while the action was under way.');
  return conclude(received, { ...end, launched: state === 'accepted' ? 'no' : launched ? 'yes' : 'unknown' });
}
