import { Parameters as ActionParameters } from '../../protocol/messages/parameters.js';
import type { Clock } from '../../runtime/clock.js';
import { toRequestRow, toSource } from '../dispatch/fix-octets.js';
import type { OpenExecution, OpenExecutions } from '../dispatch/open-executions.js';
import { RESULT_GRACE_MS } from '../dispatch/sweeper.js';
import { fixRequest } from '../invocations/request.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import { type ExecutionRow, insertRequests, moveExecutions } from '../store/executions.js';
import { type InvocationRow, settleInvocations } from '../store/invocations.js';
import { findActionIds } from './action-ids.js';

/** A fetch gives at most this many actions (F-37). */
const MAX_FETCHED = 10;

/** `executions.handed_as` of what was fetched without a key. */
export const WITHOUT_KEY = '';

/** Which node fetches, and the key that it repeats when it got no answer. */
export type Fetch = Readonly<{ node: string; org: string; key: string | undefined; nowMs: number }>;

/** An action on its way to a node, with the row as it is from now on. */
export type Handed = Readonly<{ row: ExecutionRow; invocation: InvocationRow; actionId: string }>;

/**
 * What a fetch changed: `actions` are the answer, `confirmed` are those of the answer before. Those of `dropped` are to
 * end, and the node asks for them once more: so it has not begun them.
 */
export type HandOut = Readonly<{
  actions: readonly Handed[];
  confirmed: readonly ExecutionRow[];
  dropped: readonly ExecutionRow[];
}>;

/**
 * Hands out what waits for a node, oldest first. Without a key that is the start, as far as we can know: none of it is
 * ever given again. Under a key it is given again to whoever repeats the key, until it is acked, reported or past its
 * time; a fetch under another key says that the answer to the one before has arrived.
 */
export async function handOut(tx: Tx, fetch: Fetch): Promise<HandOut> {
  const sent = await openOf(tx, fetch.node, 'sent').execute();
  const isRepeated = ({ handed_as }: ExecutionRow): boolean => fetch.key !== undefined && handed_as === fetch.key;
  const again = sent
    .filter(isRepeated)
    .filter((row) => isDue(row, fetch.nowMs))
    .slice(0, MAX_FETCHED);
  const confirmed = await confirm(
    tx,
    sent.filter((row) => !isRepeated(row)),
    fetch,
  );
  const fresh = await openOf(tx, fetch.node, 'queued')
    .where('cancelling', '=', 0)
    .where('expires_at', '>', fetch.nowMs)
    .limit(MAX_FETCHED - again.length)
    .execute();
  const invocations = await findInvocations(tx, [...again, ...fresh]);
  const taken = await take(tx, { fetch, fresh, invocations });

  await settleInvocations(tx, idsOf([...confirmed, ...taken]), fetch.nowMs);
  const names = await findActionIds(tx, idsOf([...again, ...taken]));
  const actions = [...again, ...taken]
    .sort((a, b) => (a.execution_id < b.execution_id ? -1 : 1))
    .flatMap((row) => {
      const invocation = invocations.get(row.invocation_id);
      return invocation === undefined
        ? []
        : [{ row, invocation, actionId: names.get(row.invocation_id) ?? row.execution_id }];
    });
  return { actions, confirmed, dropped: sent.filter((row) => isRepeated(row) && row.cancelling === 1) };
}

/** Brings what is in memory to what was committed. */
export function noteHandOut(
  { open, clock }: { open: OpenExecutions; clock: Clock },
  { actions, confirmed }: HandOut,
): void {
  for (const row of [...actions.map((each) => each.row), ...confirmed]) {
    const execution = open.get(row.execution_id, row.node) ?? addAgain(open, row);
    execution.requestSha256 = row.request_sha256;
    execution.offered = true;
    if (row.status === 'accepted') noteAccepted({ open, clock }, execution);
    else if (execution.state === 'queued') open.move(execution, 'sent');
  }
}

/** The node has it: its result is awaited from now on. */
export function noteAccepted({ open, clock }: { open: OpenExecutions; clock: Clock }, execution: OpenExecution): void {
  if (execution.state === 'accepted') return;
  execution.acceptedAtMs = clock.nowMs();
  execution.lostAtMs = clock.monotonicMs() + execution.timeoutMs + RESULT_GRACE_MS;
  open.move(execution, 'accepted');
}

function isDue({ cancelling, expires_at }: ExecutionRow, nowMs: number): boolean {
  return cancelling === 0 && expires_at > nowMs;
}

/** What is open on a node in this state, oldest first. */
export function openOf(queries: Queries, node: string, status: 'queued' | 'sent') {
  return queries
    .selectFrom('executions')
    .selectAll()
    .where('node', '=', node)
    .where('open', '=', 1)
    .where('status', '=', status)
    .orderBy('execution_id');
}

/** The answer before has arrived, so the node has these. */
async function confirm(tx: Tx, rows: readonly ExecutionRow[], { nowMs }: Fetch): Promise<ExecutionRow[]> {
  const confirmed: ExecutionRow[] = [];
  for (const row of rows) {
    const set = { status: 'accepted', accepted_at: nowMs, reason: null };
    if ((await moveOne(tx, row, { from: ['sent'], set })) === 1) confirmed.push({ ...row, ...set });
  }
  return confirmed;
}

/** Takes them out of the queue; the octets of the request are fixed and stored, as for any other node. */
async function take(
  tx: Tx,
  {
    fetch,
    fresh,
    invocations,
  }: { fetch: Fetch; fresh: readonly ExecutionRow[]; invocations: ReadonlyMap<string, InvocationRow> },
): Promise<ExecutionRow[]> {
  const { node, org, key, nowMs } = fetch;
  const taken: ExecutionRow[] = [];
  for (const row of fresh) {
    const invocation = invocations.get(row.invocation_id);
    if (invocation === undefined) continue;
    const { execution_id, checksum, expires_at } = row;
    const source = toSource(invocation, { executionId: execution_id, expiresAtMs: expires_at });
    const request = fixRequest(source, { target: { node }, checksum, nowMs });
    const set = {
      request_sha256: row.request_sha256 ?? request.sha256,
      sent_at: row.sent_at ?? nowMs,
      ...(key === undefined ? { status: 'accepted', accepted_at: nowMs } : { status: 'sent' }),
      reason: null,
      handed_as: key ?? WITHOUT_KEY,
    };
    if ((await moveOne(tx, row, { from: ['queued'], set })) === 0) continue;
    if (row.request_sha256 === null) await insertRequests(tx, [toRequestRow(execution_id, request, nowMs)]);
    taken.push({ ...row, ...set });
  }
  await appendAudit(
    tx,
    taken.map(({ execution_id, status }) => ({
      ...{ atMs: nowMs, org, actor: `node:${node}`, event: 'execution_fetched', details: { status } },
      subject: `execution:${execution_id}/${node}`,
    })),
  );
  return taken;
}

function moveOne(
  tx: Tx,
  { execution_id: executionId, node }: ExecutionRow,
  change: Parameters<typeof moveExecutions>[2],
): Promise<number> {
  return moveExecutions(tx, [{ executionId, node }], change);
}

async function findInvocations(tx: Tx, rows: readonly ExecutionRow[]): Promise<Map<string, InvocationRow>> {
  if (rows.length === 0) return new Map();
  const found = await tx.selectFrom('invocations').selectAll().where('id', 'in', idsOf(rows)).execute();
  return new Map(found.map((row) => [row.id, { ...row, parameters: readable(row.parameters) }]));
}

/** Parameters that cannot be read are none, and no reason to fail (F-39). */
function readable(text: string): string {
  try {
    return JSON.stringify(ActionParameters.parse(JSON.parse(text)));
  } catch {
    return '{}';
  }
}

function idsOf(rows: readonly ExecutionRow[]): string[] {
  return [...new Set(rows.map(({ invocation_id }) => invocation_id))];
}

/** It was let go while it was on its way: a cancel that came at the same moment took it for one that had not left. */
function addAgain(open: OpenExecutions, row: ExecutionRow): OpenExecution {
  return open.add({
    executionId: row.execution_id,
    node: row.node,
    invocationId: row.invocation_id,
    expiresAtMs: row.expires_at,
    timeoutMs: row.timeout_ms,
    checksum: row.checksum,
    state: 'sent',
    requestSha256: row.request_sha256,
    offered: true,
  });
}
