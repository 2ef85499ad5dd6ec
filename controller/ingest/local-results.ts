import type { Result } from '../../protocol/messages/result.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';
import type { MissingOutput } from './missing-output.js';

/** Records what a technician ran on the device itself, in the same transaction as its audit row, and receipts it. */
export async function takeLocalResult(
  deps: { store: Store; missingOutput: MissingOutput; clock: Clock; log: Logger; org: string },
  signed: Readonly<{ node: string; result: Result; payloadSha256: string; jws: string }>,
): Promise<void> {
  const { store, missingOutput, clock, log, org } = deps;
  const { node, result, payloadSha256, jws } = signed;
  const { execution_id: executionId, status, action = '' } = result;
  const nowMs = clock.nowMs();
  const row = {
    execution_id: executionId,
    node,
    action,
    status,
    payload_sha256: payloadSha256,
    jws,
    received_at: nowMs,
  };
  try {
    await store.write(async (tx) => {
      const added = await tx
        .insertInto('local_results')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning('node')
        .execute();
      if (added.length === 0) return;
      const subject = `execution:${executionId}/${node}`;
      const details = { action, status, result_sha256: payloadSha256 };
      await appendAudit(tx, [{ atMs: nowMs, org, actor: `node:${node}`, event: 'local_execution', subject, details }]);
    });
    missingOutput.resultStored({ executionId, node, chunks: 0 });
  } catch (err) {
    log.error({ err, node }, 'local result not stored, the node sends it again');
  }
}
