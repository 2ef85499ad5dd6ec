import { decodeBase64Url } from '../../protocol/base64url.js';
import { parsePayload } from '../../protocol/envelope.js';
import { Risk } from '../../protocol/messages/capabilities.js';
import { Result } from '../../protocol/messages/result.js';
import { toTime } from '../../runtime/clock.js';
import { redactParameters } from '../events/redact.js';
import { Batch } from '../http/batch-schemas.js';
import { Evidence, ExecutionStatus, type ExecutionView, type InvocationView, Origin } from '../http/schemas.js';
import { InvocationTarget, readParameters } from '../http/target-schemas.js';
import { inlineText, ReportedResult, type StoredResult } from '../ingest/reported-result.js';
import type { ExecutionRow } from '../store/executions.js';
import { type InvocationCounts, type InvocationRow, readInvocationStatus } from '../store/invocations.js';
import type { ResultRow } from '../store/results.js';
import { batchesOf } from './batches.js';

/** An invocation as the API shows it to everybody who may read. */
export function toInvocationView(row: InvocationRow, counts: InvocationCounts): InvocationView {
  const target = InvocationTarget.parse(JSON.parse(row.target));
  return {
    id: row.id,
    status: readInvocationStatus(row),
    origin: Origin.parse(row.origin),
    action: row.action,
    target,
    parameters: redactParameters(readParameters(row.parameters)),
    nodes: row.total,
    risk: Risk.parse(row.risk),
    timeout: row.timeout,
    reason: row.reason,
    created_at: toTime(row.created_at),
    created_by: row.created_by,
    approved_by: row.approved_by,
    approved_at: timeOrNull(row.approved_at),
    expires_at: toTime(row.expires_at),
    completed_at: timeOrNull(row.completed_at),
    duration_ms: durationOf(row),
    digest: row.digest,
    counts,
    error: row.error,
    error_code: row.error_code,
    integration_id: row.integration_id,
    cancel_requested_at: timeOrNull(row.cancel_requested_at),
    cancel_requested_by: row.cancel_requested_by,
    batch: toBatchView(row),
  };
}

/** Never below zero, although a clock may have been set meanwhile. */
function durationOf({ status, approved_at, completed_at }: InvocationRow): number | null {
  if (approved_at === null || completed_at === null || status === 'denied') return null;
  return Math.max(0, completed_at - approved_at);
}

function toBatchView({ batch, batches_begun, batch_stopped_at, total }: InvocationRow): InvocationView['batch'] {
  if (batch === null) return null;
  const cut = Batch.parse(JSON.parse(batch));
  const stopped_at = timeOrNull(batch_stopped_at);
  return { ...cut, count: batchesOf(cut, total).count, begun: batches_begun ?? 0, stopped_at };
}

/** The payload of a stored result: its signature, or the token it came with, was checked before it was stored. */
export function readStoredResult({ jws, evidence }: Pick<ResultRow, 'jws' | 'evidence'>): StoredResult {
  const payload = decodeBase64Url(jws.split('.', 2)[1] ?? '') ?? Buffer.alloc(0);
  return evidence === 'token' ? parsePayload(ReportedResult, payload) : parsePayload(Result, payload);
}

/** An execution as the API shows it, with the fields of its result when there is one. */
export function toExecutionView(row: ExecutionRow, stored: ResultRow | undefined): ExecutionView {
  const result = stored === undefined ? undefined : readStoredResult(stored);
  return {
    execution_id: row.execution_id,
    invocation_id: row.invocation_id,
    node: row.node,
    status: ExecutionStatus.parse(row.status),
    batch: row.batch,
    reason: row.reason,
    unreachable: row.unreachable === 1,
    cancelling: row.open === 1 && row.cancelling === 1,
    provisional: row.provisional === 1,
    request_sha256: row.request_sha256,
    sent_at: timeOrNull(row.sent_at),
    accepted_at: timeOrNull(row.accepted_at),
    finished_at: result?.finished_at ?? timeOrNull(row.ended_at),
    received_at: timeOrNull(stored?.received_at ?? null),
    exit_code: result?.exit_code ?? null,
    duration: result?.duration ?? null,
    duration_ms: result?.duration_ms ?? null,
    stdout: inlineOf('stdout', stored, result),
    stderr: inlineOf('stderr', stored, result),
    stdout_encoding: result?.stdout_encoding ?? null,
    stderr_encoding: result?.stderr_encoding ?? null,
    stdout_bytes: result?.stdout_bytes ?? null,
    stderr_bytes: result?.stderr_bytes ?? null,
    stdout_truncated: result?.stdout_truncated ?? null,
    stderr_truncated: result?.stderr_truncated ?? null,
    error_code: result?.error_code ?? row.error_code,
    error: result?.error ?? null,
    launched: result?.launched ?? (row.error_code === null ? null : 'unknown'),
    violation: result?.violation ?? null,
    evidence: stored === undefined ? null : Evidence.parse(stored.evidence),
  };
}

/** Only what a token vouches for is stored with all of its output in it. */
function inlineOf(stream: 'stdout' | 'stderr', stored?: ResultRow, result?: StoredResult): string | null {
  if (result === undefined) return null;
  return stored?.evidence === 'token' ? inlineText(result[stream]) : result[stream];
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : toTime(ms);
}
