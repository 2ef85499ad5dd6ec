import { MusterError } from '../../protocol/errors.js';
import { Parameters } from '../../protocol/messages/parameters.js';
import type { Logger } from '../../runtime/logger.js';
import type { Mask } from '../../runtime/masking/mask.js';
import { type ConcludeDeps, conclude } from '../dispatch/conclude.js';
import type { OpenExecution } from '../dispatch/open-executions.js';
import type { FetchedAction } from '../http/polling-schemas.js';
import type { EvidenceStore } from '../ingest/evidence.js';
import { type Report, toReportedResult } from '../ingest/reported-result.js';
import type { Presence } from '../nodes/presence.js';
import type { Registry } from '../nodes/registry.js';
import type { InvocationService } from '../services.js';
import { updateNode } from '../store/nodes.js';
import type { Suspension } from '../suspension.js';
import { takePolledAck } from './acks.js';
import { findActionIds, findNamedExecution, nameAction } from './action-ids.js';
import { takeAnnouncement } from './capabilities.js';
import type { NodeCaller, PollingService } from './contract.js';
import { type Handed, type HandOut, handOut, noteHandOut } from './hand-out.js';
import { createRateLimit } from './rate-limit.js';
import { createNodeTokens } from './tokens.js';

export type PollingDeps = ConcludeDeps &
  Readonly<{
    registry: Registry;
    presence: Presence;
    evidence: EvidenceStore;
    suspension: Pick<Suspension, 'isSuspended'>;
    mask: Mask;
    create: InvocationService['create'];
    log: Logger;
  }>;

/** F-20, F-32, F-42, in a minute; what a node says of itself shares the limit of its reports. */
const LIMITS = { queue: 100, fetch: 60, say: 60 } as const;

/** A node that fetches nothing is written down as seen this seldom. */
const SEEN_AGAIN_MS = 60_000;

/** What nodes that only poll are given, and what they say. Over the same invocations and executions as all others. */
export function createPolling(deps: PollingDeps): PollingService {
  const { store, suspension, clock, log } = deps;
  const limits = {
    queue: createRateLimit(clock, LIMITS.queue),
    fetch: createRateLimit(clock, LIMITS.fetch),
    say: createRateLimit(clock, LIMITS.say),
  };
  return {
    ...createNodeTokens(deps),
    queue: createQueue(deps, limits.queue.pass),
    async fetch({ node, org }, key) {
      limits.fetch.pass(node);
      const nowMs = clock.nowMs();
      noteSeen(deps, node, nowMs);
      if (suspension.isSuspended() || !(await hasWaiting(deps, node))) return [];
      const handed = await store.write((tx) => handOut(tx, { node, org, key, nowMs }));
      noteHandOut(deps, handed);
      await conclude(deps, droppedOf(deps, handed), { status: 'cancelled' });
      log.debug({ node, count: handed.actions.length }, 'actions fetched');
      return handed.actions.map(toFetched);
    },
    async ack({ node }, name, ack) {
      limits.say.pass(node);
      noteSeen(deps, node, clock.nowMs());
      await takePolledAck(deps, node, { name, ack });
    },
    async report(caller, name, report) {
      limits.say.pass(caller.node);
      noteSeen(deps, caller.node, clock.nowMs());
      await takeReport(deps, caller, { name, report });
    },
    async announce(caller, announced) {
      limits.say.pass(caller.node);
      noteSeen(deps, caller.node, clock.nowMs());
      await takeAnnouncement(deps, caller, announced);
    },
  };
}

/** An ask for one action on one node; whoever may confirm counts as having done so. */
function createQueue({ store, log, create }: PollingDeps, pass: (caller: string) => void): PollingService['queue'] {
  return async (principal, { machine_id: node, action_type: action, data }, request) => {
    const { org } = principal;
    pass(`${org}/${principal.id}`);
    const ask = { action, target: { nodes: [node] }, parameters: data, stream: false, confirm: true };
    const { invocation } = await create(principal, ask, {
      ...request,
      also: (tx, { id, createdAtMs }) => nameAction(tx, { org, node, invocationId: id, nowMs: createdAtMs }),
    });
    const names = await findActionIds(store.read, [invocation.id]);
    const actionId = names.get(invocation.id) ?? invocation.id;
    log.info({ actionId, action, node }, 'action queued');
    return actionId;
  };
}

/** @throws {MusterError} not_found, conflict */
async function takeReport(
  { store, evidence, log }: PollingDeps,
  { node, org }: NodeCaller,
  { name, report }: { name: string; report: Report },
): Promise<void> {
  const row = await findNamedExecution(store.read, node, name);
  if (row === undefined) throw new MusterError('not_found', 'There is no such action for this node');
  const { execution_id: executionId, request_sha256: requestSha256 } = row;
  if (requestSha256 === null) throw new MusterError('conflict', 'The action was not fetched, so nothing came of it');
  const reported = toReportedResult({ executionId, node, org, requestSha256 }, report);
  const verdict = await evidence.addNow({ kind: 'result', evidence: 'token', node, ...reported });
  if (verdict !== 'stored' && verdict !== 'duplicate') {
    throw new MusterError('conflict', 'Another report of this action came before, and the first one stays');
  }
  log.info({ node, executionId, status: report.status }, 'action reported');
}

/** Whether a fetch would give or confirm anything, so that a poll for nothing costs no write. */
async function hasWaiting({ store }: PollingDeps, node: string): Promise<boolean> {
  const row = await store.read
    .selectFrom('executions')
    .select('execution_id')
    .where('node', '=', node)
    .where('open', '=', 1)
    .where('status', 'in', ['queued', 'sent'])
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

function noteSeen({ store, registry, presence, log }: PollingDeps, node: string, nowMs: number): void {
  presence.polled(node, nowMs);
  const record = registry.get(node);
  if (record === undefined || nowMs - (record.lastSeenMs ?? 0) < SEEN_AGAIN_MS) return;
  registry.update(record, { lastSeenMs: nowMs });
  store
    .write((tx) => updateNode(tx, node, { last_seen_at: nowMs }), { lazy: true })
    .catch((err: unknown) => log.warn({ err, node }, 'node not noted as seen'));
}

function droppedOf({ open }: PollingDeps, { dropped }: HandOut): OpenExecution[] {
  return dropped.flatMap((row) => open.get(row.execution_id, row.node) ?? []);
}

function toFetched({ row, invocation, actionId }: Handed): FetchedAction {
  const data = Parameters.parse(JSON.parse(invocation.parameters));
  const checksum = row.checksum === null ? {} : { checksum: row.checksum };
  return { action_id: actionId, type: invocation.action, data, ...checksum };
}
