import { MusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { HookView } from '../http/schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { HookService } from '../services.js';
import { appendAudit } from '../store/audit.js';
import { findHookPin, replaceHookPin } from '../store/nodes.js';
import type { Store } from '../store/store.js';
import { compareText, type NodeRecord, type Registry, recordsOf } from './registry.js';

/** `NODE/NAME` of the last hook of a page. */
const HOOK_KEY = /^[\w-]{1,63}\/[\w.-]{1,63}$/;

/** Hooks by node, and their acceptance. */
export function createHookService(deps: { store: Store; registry: Registry; clock: Clock; log: Logger }): HookService {
  const { registry } = deps;
  return {
    async list(org, { limit, cursor, node, name, changed }) {
      const [afterNode = '', afterName = ''] = readCursor(cursor, HOOK_KEY)?.split('/') ?? [];
      const views: HookView[] = [];
      for (const record of recordsOf(registry, org)) {
        if (record.node < afterNode || (node !== undefined && record.node !== node)) continue;
        const isBegun = record.node === afterNode;
        for (const view of hooksOf(record)) {
          if (isBegun && view.name <= afterName) continue;
          if (name !== undefined && view.name !== name) continue;
          if (changed !== undefined && String(view.changed) !== changed) continue;
          views.push(view);
        }
        if (views.length > limit) break;
      }
      return toPage(views, { limit, keyOf: (view) => `${view.node}/${view.name}`, toItem: (view) => view });
    },
    async accept(principal, { node, name, checksum }) {
      const record = registry.get(node);
      if (record?.org !== principal.org) return undefined;
      const hook = hooksOf(record).find((each) => each.name === name);
      if (hook === undefined) return undefined;
      if (hook.checksum !== checksum)
        throw new MusterError('hook_changed', `The hook ${name} on ${node} has the checksum ${hook.checksum} by now`);
      await pin(deps, principal, { node, name, checksum });
      const pins = new Map([...(registry.get(node) ?? record).pins, [name, checksum] as const]);
      const accepted = registry.update(record, { pins }) ?? { ...record, pins };
      return (
        hooksOf(accepted).find((each) => each.name === name) ?? { ...hook, pinned_checksum: checksum, changed: false }
      );
    },
  };
}

/** The hooks that a node announced last, by name. */
export function hooksOf({ node, catalogue, pins }: NodeRecord): HookView[] {
  return [...(catalogue?.values() ?? [])]
    .flatMap((offer) => (offer.kind === 'hook' ? [offer.spec] : []))
    .map(({ name, checksum, sandbox, network = false, writable = [], fault = null }) => {
      const pinned = pins.get(name) ?? null;
      return {
        ...{ node, name, checksum, pinned_checksum: pinned, changed: pinned !== checksum },
        ...{ sandbox, network, writable, fault },
      };
    })
    .sort((a, b) => compareText(a.name, b.name));
}

/** Pin and audit row in one transaction; nothing when it is pinned so already. */
async function pin(
  { store, clock, log }: { store: Store; clock: Clock; log: Logger },
  { id, org }: { id: string; org: string },
  { node, name, checksum }: { node: string; name: string; checksum: string },
): Promise<void> {
  const nowMs = clock.nowMs();
  const isNew = await store.write(async (tx) => {
    const previous = await findHookPin(tx, { node, hook: name });
    if (previous === checksum) return false;
    await replaceHookPin(tx, { node, hook: name, checksum, pinned_at: nowMs });
    const details = { checksum, previous: previous ?? null };
    const subject = `hook:${node}/${name}`;
    await appendAudit(tx, [{ atMs: nowMs, org, actor: id, event: 'hook_accepted', subject, details }]);
    tx.tell({ org, event: { type: 'node', node, change: 'changed' } });
    return true;
  });
  if (isNew) log.info({ node, hook: name, checksum, by: id }, 'hook accepted');
}
