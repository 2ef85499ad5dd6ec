import type { Logger } from '../../runtime/logger.js';
import type { Registry } from '../nodes/registry.js';
import { type ConcludeDeps, conclude } from './conclude.js';
import type { OpenExecution } from './open-executions.js';

/** An ack that was on its way at the end of the window still counts. */
const EXPIRY_GRACE_MS = 1_000;

/** How long after its time-out a result is awaited before the controller concludes that it is lost. */
export const RESULT_GRACE_MS = 60_000;

/**
 * Ends what is past its time, not accepted by `expires_at` or accepted and without a result for too long, and what is
 * open on a node that was removed.
 */
export async function sweep(deps: ConcludeDeps & Readonly<{ registry: Registry; log: Logger }>): Promise<void> {
  const { open, registry, clock, log } = deps;
  const nowMs = clock.nowMs();
  const monotonicMs = clock.monotonicMs();
  const expired: OpenExecution[] = [];
  const lost: OpenExecution[] = [];
  const orphaned: OpenExecution[] = [];
  for (const [node, { held, queued, sent, accepted }] of open.queues()) {
    if (registry.get(node) === undefined) {
      for (const executions of [held, queued, sent, accepted]) orphaned.push(...executions.values());
      continue;
    }
    for (const executions of [held, queued, sent]) {
      for (const each of executions.values()) if (each.expiresAtMs + EXPIRY_GRACE_MS <= nowMs) expired.push(each);
    }
    for (const each of accepted.values()) {
      if (each.lostAtMs !== undefined && each.lostAtMs <= monotonicMs) lost.push(each);
    }
  }
  if (expired.length > 0) log.info({ count: expired.length }, 'executions expired');
  if (lost.length > 0) log.warn({ count: lost.length }, 'executions without a result');
  await concludeRemoved(deps, orphaned);
  await conclude(deps, expired, { status: 'expired' });
  await conclude(deps, lost, { status: 'error', errorCode: 'agent_lost' });
}

/** The end of what was open on a node that is no more: what never left us did not run, of the rest nobody will hear. */
export async function concludeRemoved(deps: ConcludeDeps, executions: readonly OpenExecution[]): Promise<void> {
  const [unsent, sent] = [executions.filter(({ offered }) => !offered), executions.filter(({ offered }) => offered)];
  await conclude(deps, unsent, { status: 'cancelled' });
  await conclude(deps, sent, { status: 'error', errorCode: 'node_removed' });
}
