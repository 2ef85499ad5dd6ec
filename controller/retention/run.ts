import { isMusterError } from '../../protocol/errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Store } from '../store/store.js';
import { cutAudit } from './cut-audit.js';
import { findCutoff, findRemovable, type RetentionLimits } from './removable.js';
import { removeRecords } from './remove-records.js';

export type RetentionDeps = Readonly<{
  store: Store;
  clock: Clock;
  log: Logger;
  org: string;
  limits: RetentionLimits & Readonly<{ auditAgeMs: number }>;
}>;

/** Lets go of what is past the limits, in small steps; a stop of the controller ends it between two of them. */
export async function runRetention(deps: RetentionDeps): Promise<void> {
  try {
    await removeOld(deps);
  } catch (error) {
    if (!isMusterError(error, 'unavailable')) throw error;
  }
}

async function removeOld({ store, clock, log, org, limits }: RetentionDeps): Promise<void> {
  const nowMs = clock.nowMs();
  let removed = 0;
  const cutoff = await findCutoff(store.read, { org, nowMs, limits });
  let afterId: string | undefined = '';
  while (afterId !== undefined) {
    const { removable, nextId } = await findRemovable(store.read, cutoff, afterId);
    removed += await removeRecords(store, removable, { org, nowMs });
    afterId = nextId;
  }
  const cut = await cutAudit(store, { org, cutoffMs: nowMs - limits.auditAgeMs, nowMs });
  if (removed + cut > 0) log.info({ invocations: removed, auditRows: cut }, 'old records removed');
}
