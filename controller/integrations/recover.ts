import type { Logger } from '../../runtime/logger.js';
import type { Store } from '../store/store.js';
import { endAction } from './end-action.js';

/** What was under way when the controller ended; it is never done a second time. */
const LOST = {
  kind: 'failed',
  code: 'outcome_unknown',
  error: 'The controller ended while it was under way: whether it was done is not known',
} as const;

/** Gives a definite end to the actions that a controller before this one had begun. */
export async function endInterrupted(
  store: Store,
  { org, nowMs, log }: { org: string; nowMs: number; log: Logger },
): Promise<void> {
  const rows = await store.read
    .selectFrom('invocations')
    .select(['id', 'org'])
    .where('org', '=', org)
    .where('status', '=', 'executing')
    .where('integration', 'is not', null)
    .where('completed_at', 'is', null)
    .execute();
  if (rows.length === 0) return;
  await store.write(async (tx) => {
    for (const row of rows) await endAction(tx, row, { end: LOST, nowMs });
  });
  log.warn({ count: rows.length }, 'actions of integrations were interrupted');
}
