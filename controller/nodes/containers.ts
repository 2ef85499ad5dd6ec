import { isMeant } from '../../protocol/containers.js';
import { sha256Hex } from '../../protocol/envelope.js';
import { type ErrorCode, isMusterError, MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import type { Replay } from '../invocations/create.js';
import type { ContainerService, InvocationService, Principal } from '../services.js';
import { type AuditEntry, appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import type { Store } from '../store/store.js';
import type { Presence } from './presence.js';
import { type NodeRecord, type Registry, recordsOf } from './registry.js';

/** What a verb of the route is called among the actions of a node. */
const ACTIONS = { START: 'container_start', STOP: 'container_stop', RESTART: 'container_restart' } as const;

/** Longer than the 10 s that a container gets to stop, and a restart after it. */
const TIMEOUT = '30s';
/** Who asks is waiting for it: past this, nobody wants it any more. */
const EXPIRES_IN = '60s';
const NO_REASON = 'no reason given';

/** What has its row already, cannot have one, or would let whoever is past a limit fill the trail. */
const WITHOUT_ROW: ReadonlySet<ErrorCode> = new Set([
  'denied_by_policy',
  'storage_failed',
  'overloaded',
  'unavailable',
  'rate_limited',
  'too_many_pending',
  'too_many_open',
]);

/** Starts, stops and restarts containers through the node that announces them. */
export function createContainerService(deps: {
  store: Store;
  registry: Registry;
  presence: Presence;
  clock: Clock;
  create: InvocationService['create'];
  replay: Replay;
  whenDone: InvocationService['whenDone'];
}): ContainerService {
  const { store, registry, presence, clock, create, replay, whenDone } = deps;

  /** Does it; what keeps it from being done is written down. */
  async function noting<T>(attempt: Attempt, work: (row: Row) => T | Promise<T>): Promise<T> {
    const rowOf: Row = (more) => toEntry(attempt, more);
    try {
      return await work(rowOf);
    } catch (error) {
      const code = isMusterError(error) && !WITHOUT_ROW.has(error.code) ? error.code : undefined;
      if (code !== undefined) await store.write((tx) => appendAudit(tx, [rowOf({ code })]));
      throw error;
    }
  }

  return {
    async ask(principal, { container: reference, verb, reason = '' }, { idempotencyKey, bodySha256 }) {
      // The address names the container and the body does not: the key is of both.
      const request = { idempotencyKey, bodySha256: sha256Hex(`${reference}\n${bodySha256}`) };
      const before = await replay(principal, request);
      if (before !== undefined) return before.invocation;
      const attempt = { principal, verb, reason, atMs: clock.nowMs() };
      const { node, id } = await noting({ ...attempt, id: reference }, () =>
        locate(registry, principal.org, reference),
      );
      return noting({ ...attempt, id, node }, async (row) => {
        if (!presence.isConnected(node)) {
          throw new MusterError('node_offline', `The node ${node}, on which it runs, is not connected`);
        }
        const ask = {
          ...{ action: ACTIONS[verb], target: { nodes: [node] }, parameters: { container: id } },
          ...{ timeout: TIMEOUT, expires_in: EXPIRES_IN, stream: false, confirm: true },
          ...(reason === '' ? {} : { reason }),
        };
        const also = (tx: Queries, made: { id: string }) => appendAudit(tx, [row({ invocation: made.id })]);
        return (await create(principal, ask, { ...request, also })).invocation;
      });
    },
    async whenDone(org, { id, status, target }, { ms, signal }) {
      const [node = ''] = 'nodes' in target ? target.nodes : [];
      const gone = new AbortController();
      const release = presence.onGone(node, () => gone.abort());
      if (!presence.isConnected(node)) gone.abort();
      const signals = signal === undefined ? [gone.signal] : [gone.signal, signal];
      try {
        const latest = await whenDone(org, id, { ms, signal: AbortSignal.any(signals) });
        const isOver = latest === undefined || ENDED_STATUSES.has(latest.status);
        if (isOver || !gone.signal.aborted || status === 'pending') return latest;
        throw new MusterError('node_offline', `The node ${node} went before it answered; ask what became of ${id}`);
      } finally {
        release();
      }
    },
  };
}

/**
 * The one container of the org that is meant: by its id, by the beginning of it, or by its name.
 * @throws {MusterError} not_found, conflict (several are called so)
 */
function locate(registry: Registry, org: string, reference: string): { node: string; id: string } {
  const found = recordsOf(registry, org).flatMap((record) => matching(record, reference));
  const byId = found.filter(({ id }) => id === reference);
  const [first, ...others] = byId.length > 0 ? byId : found;
  if (first === undefined) throw new MusterError('not_found', 'No node announces such a container');
  if (others.length > 0) throw new MusterError('conflict', 'Several containers are called so: name its whole id');
  return first;
}

function matching({ node, containers }: NodeRecord, reference: string): { node: string; id: string }[] {
  return containers.filter((each) => isMeant(each, reference)).map(({ id }) => ({ node, id }));
}

/** Who asks for what; without a node as long as none is known that has the container. */
type Attempt = Readonly<{
  principal: Principal;
  id: string;
  node?: string;
  verb: string;
  reason: string;
  atMs: number;
}>;

/** The row of an attempt, with what came of it. */
type Row = (more: Readonly<Record<string, string>>) => AuditEntry;

/** One row for each attempt within the limits, whatever comes of it (D-26). */
function toEntry(
  { principal, id, node, verb, reason, atMs }: Attempt,
  more: Readonly<Record<string, string>>,
): AuditEntry {
  const where = node === undefined ? {} : { node };
  const details = { action: verb, ...where, reason: reason === '' ? NO_REASON : reason, ...more };
  return {
    atMs,
    org: principal.org,
    actor: principal.id,
    event: 'container_action',
    subject: `container:${id}`,
    details,
  };
}
