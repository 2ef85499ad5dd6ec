import { grantOf } from '../grants/rows.js';
import type { InvocationView } from '../http/schemas.js';
import { describeTarget, InvocationTarget } from '../http/target-schemas.js';
import { readHolders } from '../identity/holders.js';
import type { Excess } from '../policy/limits.js';
import { type AuditEntry, appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import { type ExecutionRow, insertExecutions, insertRequests } from '../store/executions.js';
import { findIdempotentUse, type IdempotencyUse, insertIdempotentUse } from '../store/idempotency.js';
import { countExecutions, type InvocationRow, insertInvocation, noExecutions } from '../store/invocations.js';
import type { Draft } from './draft.js';
import { toInvocationView } from './views.js';

/** What came of the same Idempotency-Key before; a value, so that it does not undo its neighbours in a batch. */
export type Earlier =
  | Readonly<{ kind: 'same'; invocation: InvocationView }>
  | Readonly<{ kind: 'denied'; error: string; invocation: string }>
  | Readonly<{ kind: 'refused'; code: 'idempotency_conflict'; detail: string }>;

/** Why an ask that is new is not stored; a value, as well. */
export type NotAdmitted =
  /** The policy or a grant is not what it was when it was judged. */
  Readonly<{ kind: 'judge_again' }> | Readonly<{ kind: 'asker_gone' }> | PastLimit;
export type PastLimit = Readonly<{ kind: 'past_limit'; excess: Excess }>;

/** Characters of a target in an audit row. */
const MAX_TARGET = 256;

/** What the audit log calls the making of an invocation in this state. */
const EVENTS: Readonly<Record<string, string>> = { denied: 'invocation_denied', pending: 'invocation_pending' };

/** The stored answer to an ask with the same key; undefined when the key is new. */
export async function findEarlier(queries: Queries, use: IdempotencyUse): Promise<Earlier | undefined> {
  const known = await findIdempotentUse(queries, use);
  if (known === undefined) return undefined;
  if (known.kind === 'other_body') {
    return { kind: 'refused', code: 'idempotency_conflict', detail: 'This Idempotency-Key came with another body' };
  }
  const id = known.madeId;
  const row = await queries.selectFrom('invocations').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  // What a person denied is an answer like any other.
  if (row.status === 'denied' && row.approved_by === null) {
    return { kind: 'denied', error: row.error ?? 'The policy denies this action', invocation: id };
  }
  const counts = await countExecutions(queries, [id]);
  return { kind: 'same', invocation: toInvocationView(row, counts.get(id) ?? noExecutions()) };
}

/** Stores invocation, executions, requests and audit row, unless the key was used in the meantime or `admit` objects. */
export async function storeDraft(
  tx: Tx,
  draft: Draft,
  { use, admit }: { use: IdempotencyUse | undefined; admit: (tx: Queries) => Promise<NotAdmitted | undefined> },
): Promise<Earlier | NotAdmitted | undefined> {
  const earlier = use === undefined ? undefined : await findEarlier(tx, use);
  const before = earlier ?? (await admit(tx));
  if (before !== undefined) return before;

  const { row } = draft;
  if (use !== undefined) await insertIdempotentUse(tx, use, row.id);
  await insertInvocation(tx, row);
  await insertDraft(tx, draft);
  await appendAudit(tx, [
    {
      atMs: row.created_at,
      org: row.org,
      actor: row.created_by,
      event: EVENTS[draft.row.status] ?? 'invocation_created',
      subject: `invocation:${row.id}`,
      details: {
        action: row.action,
        risk: row.risk,
        digest: row.digest,
        total: row.total,
        policy: draft.policyVersion,
        target: targetOf(row),
        ...(row.reason === null ? {} : { reason: row.reason }),
        ...(row.askers === null ? {} : { askers: readHolders(row.askers).join(' ') }),
      },
    },
    ...useOfGrant(row),
  ]);
  return undefined;
}

/** What the trail says of the grant that approved, when one did. */
function useOfGrant({ id, org, created_at: atMs, created_by: actor, approved_by }: InvocationRow): AuditEntry[] {
  const grant = grantOf(approved_by);
  if (grant === undefined) return [];
  return [{ atMs, org, actor, event: 'grant_used', subject: `grant:${grant}`, details: { invocation: id } }];
}

/** In words: the trail outlives the invocation. */
function targetOf({ target }: InvocationRow): string {
  return describeTarget(InvocationTarget.parse(JSON.parse(target))).slice(0, MAX_TARGET);
}

/** Adds the executions of an invocation and their requests. */
export async function insertDraft(tx: Tx, draft: Draft): Promise<void> {
  await insertRequests(tx, requestRows(draft));
  await insertExecutions(tx, executionRows(draft));
}

function requestRows({ row, executionId, executions }: Draft) {
  const distinct = new Map(
    executions.flatMap(({ request }) => (request === undefined ? [] : [[request.sha256, request]])),
  );
  return [...distinct.values()].map(({ sha256, payload }) => ({
    execution_id: executionId,
    sha256,
    payload,
    issued_at: row.created_at,
  }));
}

/** The executions of a draft as they are stored. */
export function executionRows({ row, executionId, executions, timeoutMs }: Draft): ExecutionRow[] {
  return executions.map(({ target, request, state, batch, expiresAtMs }) => ({
    execution_id: executionId,
    node: target.record.node,
    invocation_id: row.id,
    status: state,
    open: 1,
    reason: null,
    provisional: 0,
    unreachable: 0,
    cancelling: 0,
    request_sha256: request?.sha256 ?? null,
    checksum: target.checksum,
    expires_at: expiresAtMs,
    timeout_ms: timeoutMs,
    sent_at: null,
    accepted_at: null,
    ended_at: null,
    error_code: null,
    handed_as: null,
    batch,
  }));
}
