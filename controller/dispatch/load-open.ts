import type { Clock } from '../../runtime/clock.js';
import { OPEN_STATUSES } from '../invocations/completion.js';
import { type ExecutionRow, listOpenExecutions } from '../store/executions.js';
import type { Store } from '../store/store.js';
import { createOpenExecutions, type OpenExecutions } from './open-executions.js';
import { RESULT_GRACE_MS } from './sweeper.js';

/** The open executions as the store has them, after a start. What may have been offered counts as offered. */
export async function loadOpenExecutions(store: Store, clock: Clock): Promise<OpenExecutions> {
  const open = createOpenExecutions();
  for (const row of await listOpenExecutions(store.read)) {
    const state = OPEN_STATUSES.find((status) => status === row.status);
    if (state === undefined) continue;
    const execution = open.add({
      executionId: row.execution_id,
      node: row.node,
      invocationId: row.invocation_id,
      expiresAtMs: row.expires_at,
      timeoutMs: row.timeout_ms,
      checksum: row.checksum,
      state,
      requestSha256: row.request_sha256,
      offered: row.request_sha256 !== null,
    });
    execution.unreachable = row.unreachable === 1;
    execution.cancelling = row.cancelling === 1;
    if (state !== 'accepted') continue;
    execution.acceptedAtMs = row.accepted_at;
    execution.lostAtMs = clock.monotonicMs() + graceLeftMs(row, clock.nowMs());
  }
  return open;
}

/** A result that is overdue already still has the grace: its node may be waiting for us to come back. */
function graceLeftMs({ accepted_at, timeout_ms }: ExecutionRow, nowMs: number): number {
  const dueMs = (accepted_at ?? nowMs) + timeout_ms;
  return Math.min(Math.max(0, dueMs - nowMs), timeout_ms) + RESULT_GRACE_MS;
}
