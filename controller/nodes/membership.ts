import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { ConcludeDeps } from '../dispatch/conclude.js';
import type { Controls } from '../dispatch/controls.js';
import { openOn } from '../dispatch/open-executions.js';
import { concludeRemoved } from '../dispatch/sweeper.js';
import type { RevocationsFile } from '../identity/revocations-file.js';
import type { NodeService } from '../services.js';
import { appendAudit } from '../store/audit.js';
import { replaceGroups, revokeNode, updateNode } from '../store/nodes.js';
import type { Store } from '../store/store.js';
import type { Presence } from './presence.js';
import type { NodeRecord, Registry } from './registry.js';

export type MembershipDeps = ConcludeDeps &
  Readonly<{
    store: Store;
    registry: Registry;
    presence: Presence;
    controls: Controls;
    revocations: RevocationsFile;
    clock: Clock;
    log: Logger;
  }>;

type Change = Parameters<NodeService['change']>[2];

/** Each is false when the org has no such node. */
export type Membership = Readonly<{
  change: (...ask: Parameters<NodeService['change']>) => Promise<boolean>;
  remove: NodeService['remove'];
}>;

/** What people change of a node: its labels and groups, and whether it is one at all. */
export function createMembership(deps: MembershipDeps): Membership {
  const { store, registry, controls, clock, log } = deps;
  /** A change is made from what the one before it left. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work, work);
    turn = done.catch(() => undefined);
    return done;
  };

  return {
    change: (principal, node, change) =>
      inTurn(async () => {
        const record = registry.get(node);
        if (record?.org !== principal.org) return false;
        const nowMs = clock.nowMs();
        const next = applied(record, change, nowMs);
        if (isSame(record, next)) return true;
        await store.write(async (tx) => {
          await updateNode(tx, node, { labels: JSON.stringify(next.labels) });
          await replaceGroups(tx, node, next.groups);
          const details = { groups: [...next.groups.keys()].sort().join(' '), labels: JSON.stringify(next.labels) };
          const { id: actor, org } = principal;
          await appendAudit(tx, [{ atMs: nowMs, org, actor, event: 'node_changed', subject: `node:${node}`, details }]);
          tx.tell({ org, event: { type: 'node', node, change: 'changed' } });
        });
        registry.update(record, next);
        log.info({ node, by: principal.id }, 'node changed');
        // Its next welcome tells it; one that is away gets that when it comes.
        controls.post(node, { kind: 'announce', capabilities: false });
        return true;
      }),
    remove: (principal, node) =>
      inTurn(async () => {
        const record = registry.get(node);
        if (record?.org !== principal.org) return false;
        await removeNode(deps, record, principal.id);
        return true;
      }),
  };
}

/** From the commit on its key is believed by nobody; then the broker is told, and what was open on it ends. */
async function removeNode(deps: MembershipDeps, { node, org, key }: NodeRecord, actor: string): Promise<void> {
  const { store, registry, presence, open, revocations, clock, log } = deps;
  const nowMs = clock.nowMs();
  await store.write(async (tx) => {
    if (!(await revokeNode(tx, node, nowMs))) return;
    const details = { kid: key?.kid ?? null, open: open.countOf(node) };
    await appendAudit(tx, [{ atMs: nowMs, org, actor, event: 'node_removed', subject: `node:${node}`, details }]);
    tx.tell({ org, event: { type: 'node', node, change: 'removed' } });
  });
  registry.remove(node);
  presence.forget(node);
  log.warn({ node, by: actor }, 'node removed');
  await revocations.write();
  await concludeRemoved(deps, openOn(open, node));
}

function applied(record: NodeRecord, { labels = record.labels, groups }: Change, nowMs: number) {
  if (groups === undefined) return { labels, groups: record.groups };
  return { labels, groups: new Map(groups.map((group) => [group, record.groups.get(group) ?? nowMs])) };
}

function isSame(before: Pick<NodeRecord, 'labels' | 'groups'>, after: Pick<NodeRecord, 'labels' | 'groups'>): boolean {
  const textOf = ({ labels, groups }: typeof before): string =>
    JSON.stringify([Object.entries(labels).sort(), [...groups.keys()].sort()]);
  return textOf(before) === textOf(after);
}
