import { Parameters } from '../../protocol/messages/parameters.js';
import { MAX_REQUEST_WINDOW_MS } from '../../protocol/messages/request.js';
import type { Clock } from '../../runtime/clock.js';
import { padded } from '../grouping.js';
import { type FixedRequest, fixRequest, type RequestSource } from '../invocations/request.js';
import { insertRequests, moveExecutions } from '../store/executions.js';
import type { InvocationRow } from '../store/invocations.js';
import type { Store } from '../store/store.js';
import type { OpenExecution } from './open-executions.js';

/**
 * Fixes and stores the octets of executions that are about to leave `queued`: a request is issued when its node is
 * there, so that a journal that began while it waited does not refuse it.
 */
export async function fixOctets(
  { store, clock }: { store: Store; clock: Clock },
  executions: readonly OpenExecution[],
): Promise<void> {
  if (executions.length === 0) return;
  const invocationIds = [...new Set(executions.map(({ invocationId }) => invocationId))];
  const rows = await store.read
    .selectFrom('invocations')
    .selectAll()
    .where('id', 'in', padded(invocationIds))
    .execute();
  const sources = new Map(rows.map((row) => [row.id, row]));
  const nowMs = clock.nowMs();
  const fixed = executions.flatMap((execution) => {
    const row = sources.get(execution.invocationId);
    if (row === undefined || execution.expiresAtMs <= nowMs) return [];
    const { executionId, node, checksum } = execution;
    // A clock that was set back must not make a request that no node takes.
    const expiresAtMs = Math.min(execution.expiresAtMs, nowMs + MAX_REQUEST_WINDOW_MS);
    const request = fixRequest(toSource(row, { executionId, expiresAtMs }), { target: { node }, checksum, nowMs });
    return [{ execution, request }];
  });
  await store.write(async (tx) => {
    await insertRequests(
      tx,
      fixed.map(({ execution, request }) => toRequestRow(execution.executionId, request, nowMs)),
    );
    for (const { execution, request } of fixed) {
      await moveExecutions(tx, [execution], { from: ['queued', 'sent'], set: { request_sha256: request.sha256 } });
    }
  });
  for (const { execution, request } of fixed) execution.requestSha256 = request.sha256;
}

/** A row of `requests`. */
export function toRequestRow(executionId: string, { payload, sha256 }: FixedRequest, nowMs: number) {
  return { execution_id: executionId, sha256, payload, issued_at: nowMs };
}

/** What of a stored invocation stands in its requests. */
export function toSource(
  row: InvocationRow,
  { executionId, expiresAtMs }: Pick<OpenExecution, 'executionId' | 'expiresAtMs'>,
): RequestSource {
  return {
    invocationId: row.id,
    executionId,
    org: row.org,
    action: row.action,
    parameters: Parameters.parse(JSON.parse(row.parameters)),
    timeout: row.timeout,
    stream: row.stream === 1,
    spread: row.spread,
    reason: row.reason,
    createdBy: row.created_by,
    expiresAtMs,
  };
}
