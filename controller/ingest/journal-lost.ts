import type { Hello } from '../../protocol/messages/hello.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import type { OpenExecution } from '../dispatch/open-executions.js';
import type { NodeRecord } from '../nodes/registry.js';
import { moveExecutions } from '../store/executions.js';

/** Whether the node no longer has the journal that it had when it was last heard. */
export function hasLostJournal({ journalEpoch }: NodeRecord, { journal_epoch }: Hello): boolean {
  if (journalEpoch === null) return false;
  return journal_epoch === null || Date.parse(journal_epoch) !== Date.parse(journalEpoch);
}

/**
 * Nobody knows whether what was offered under the old journal ran, so it ends so and is never offered again. What was
 * not offered yet gets new octets, which the new journal takes.
 */
export async function endOldEpoch(deps: ConcludeDeps, node: string): Promise<void> {
  const { open, store } = deps;
  const { queued, sent, accepted } = open.of(node);
  const all = [...queued.values(), ...sent.values(), ...accepted.values()];
  await conclude(
    deps,
    all.filter(({ offered }) => offered),
    { status: 'error', errorCode: 'journal_lost' },
  );
  const untouched = all.filter((each): each is OpenExecution => !each.offered && each.requestSha256 !== null);
  if (untouched.length === 0) return;
  await store.write((tx) => moveExecutions(tx, untouched, { from: ['queued'], set: { request_sha256: null } }));
  for (const execution of untouched) execution.requestSha256 = null;
}
