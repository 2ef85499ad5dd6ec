import { MusterError } from '../protocol/errors.js';
import { type Clock, toTime } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { SuspensionView } from './http/suspension-schemas.js';
import type { Registry } from './nodes/registry.js';
import type { Principal } from './services.js';
import { appendAudit } from './store/audit.js';
import type { Queries } from './store/database.js';
import type { Store } from './store/store.js';
import { endSuspended, findSuspended, insertSuspended, type Suspended, WELCOMES_SKIPPED } from './store/suspension.js';

/** Whether a controller that was restored from an older copy starts anything. */
export type SuspensionService = Readonly<{
  read: () => SuspensionView;
  /** Gives what has ended by it; in force when it resolves. @throws {MusterError} conflict (nothing was suspended) */
  resume: (principal: Principal) => Promise<SuspensionView>;
}>;

/**
 * A store that was restored from an older copy lacks what people have cancelled, denied and changed since: a controller
 * that finds out starts nothing until an owner has looked and resumes it. What runs goes on, and results are taken.
 */
export type Suspension = SuspensionService &
  Readonly<{
    isSuspended: () => boolean;
    /** @throws {MusterError} suspended */
    refuse: () => void;
    /** In the transaction of what shows it; true when work went on until then. `begun` has to follow the commit. */
    begin: (tx: Queries, suspended: Suspended) => Promise<boolean>;
    begun: (suspended: Suspended) => void;
  }>;

type SuspensionDeps = Readonly<{ store: Store; registry: Registry; clock: Clock; log: Logger; org: string }>;

/** As the store has it. */
export async function loadSuspension({ store, registry, clock, log, org }: SuspensionDeps): Promise<Suspension> {
  let current = await findSuspended(store.read);
  if (current !== undefined) log.error(current, 'starts nothing until an owner resumes it');

  return {
    isSuspended: () => current !== undefined,
    refuse() {
      if (current === undefined) return;
      throw new MusterError('suspended', 'The store was restored from an older copy: an owner has to resume first');
    },
    async begin(tx, suspended) {
      if (!(await insertSuspended(tx, suspended))) return false;
      const { sinceMs: atMs, node } = suspended;
      const entry = { atMs, org, actor: 'controller', event: 'controller_suspended', subject: 'controller' };
      await appendAudit(tx, [{ ...entry, details: { node } }]);
      return true;
    },
    begun(suspended) {
      current ??= suspended;
      log.error(suspended, 'starts nothing until an owner resumes it: the store is older than what a node knows');
    },
    read: () => toView(current),
    async resume({ id: actor }) {
      const nowMs = clock.nowMs();
      const ended = await store.write(async (tx) => {
        const before = await endSuspended(tx);
        if (before === undefined) return undefined;
        const entry = { atMs: nowMs, org, actor, event: 'controller_resumed', subject: 'controller' };
        await appendAudit(tx, [{ ...entry, details: { since: before.sinceMs, node: before.node } }]);
        return before;
      });
      if (ended === undefined) throw new MusterError('conflict', 'Nothing is suspended');
      for (const record of [...registry.all()]) {
        if (record.welcomeSeq > 0) registry.update(record, { welcomeSeq: record.welcomeSeq + WELCOMES_SKIPPED });
      }
      current = undefined;
      log.warn({ by: actor }, 'work is resumed');
      return toView(ended);
    },
  };
}

function toView(suspended: Suspended | undefined): SuspensionView {
  return {
    suspended: suspended !== undefined,
    since: suspended === undefined ? null : toTime(suspended.sinceMs),
    node: suspended?.node ?? null,
  };
}
