import type { Logger } from '../../runtime/logger.js';
import { type ConcludeDeps, conclude } from './conclude.js';
import type { OpenExecution } from './open-executions.js';

/** An ack that was on its way at the end of the window still counts. */
const EXPIRY_GRACE_MS = 1_000;

/** How long after its time-out a result is awaited before the controller concludes that it is lost. */
export const RESULT_GRACE_MS = 60_000;

/** Ends what is past its time: not accepted by `expires_at`, or accepted and without a result for too long. */
export async function sweep(deps: ConcludeDeps & Readonly<{ log: Logger }>): Promise<void> {
  const { open, clock, log } = deps;
  const nowMs = clock.nowMs();
  const monotonicMs = clock.monotonicMs();
  const expired: OpenExecution[] = [];
  const lost: OpenExecution[] = [];
  for (const execution of open.all()) {
    if (execution.state !== 'accepted') {
      if (execution.expiresAtMs + EXPIRY_GRACE_MS <= nowMs) expired.push(execution);
    } else if (execution.lostAtMs !== undefined && execution.lostAtMs <= monotonicMs) lost.push(execution);
  }
  if (expired.length > 0) log.info({ count: expired.length }, 'executions expired');
  if (lost.length > 0) log.warn({ count: lost.length }, 'executions without a result');
  await conclude(deps, expired, { status: 'expired' });
  await conclude(deps, lost, { status: 'error', errorCode: 'agent_lost' });
}
