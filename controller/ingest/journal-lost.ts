import type { Hello } from '../../protocol/messages/hello.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import { openOn } from '../dispatch/open-executions.js';
import type { NodeRecord } from '../nodes/registry.js';
import { moveExecutions } from '../store/executions.js';

/**
 * Whether the node no longer has the journal that it had when it was last heard. A node whose first welcome is the only
 * one has named no epoch yet: when another process of it names none either, what was offered in between is as lost.
 */
export function hasLostJournal(
  { journalEpoch, processId }: NodeRecord,
  { journal_epoch, process_id }: Hello,
  wasOffered: boolean,
): boolean {
  if (journalEpoch === null) return journal_epoch === null && processId !== process_id && wasOffered;
  return journal_epoch === null || Date.parse(journal_epoch) !== Date.parse(journalEpoch);
}

/**
 * Nobody knows whether what was offered under the old journal ran, so it ends so and is never offered again. What was
 * not offered yet gets new octets, which the new journal takes.
 */
export async function endOldEpoch(deps: ConcludeDeps, node: string): Promise<void> {
  const { open, store } = deps;
  const all = openOn(open, node);
  await conclude(
    deps,
    all.filter(({ offered }) => offered),
    { status: 'error', errorCode: 'journal_lost' },
  );
  const untouched = all.filter((each) => !each.offered && each.requestSha256 !== null);
  if (untouched.length === 0) return;
  await store.write((tx) => moveExecutions(tx, untouched, { from: ['queued'], set: { request_sha256: null } }));
  for (const execution of untouched) execution.requestSha256 = null;
}
