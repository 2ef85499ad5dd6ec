import { parseDuration } from '../../protocol/durations.js';
import type { Clock } from '../../runtime/clock.js';
import type { ControllerConfig } from '../config.js';
import { deleteOldEvents, findEventHead } from '../store/events.js';
import type { Store } from '../store/store.js';

/** Looked at this often for their age; their number is looked at each time. */
const AGE_CHECK_MS = 600_000;

/**
 * Forgets events beyond the number and the age that are kept, when it is called and there is enough to forget: each
 * second a query that finds nothing is cheap, a write is not.
 */
export function createEventRetention({
  store,
  clock,
  config,
}: {
  store: Store;
  clock: Clock;
  config: Pick<ControllerConfig, 'events_kept' | 'events_kept_for'>;
}): () => Promise<void> {
  const { events_kept: kept } = config;
  const keptMs = parseDuration(config.events_kept_for) ?? 0;
  const slack = Math.ceil(kept / 10);
  let forgottenUpTo = 0;
  let ageCheckedMs = clock.monotonicMs();
  return async () => {
    const upToId = (await findEventHead(store.read)) - kept;
    const monotonicMs = clock.monotonicMs();
    if (upToId - forgottenUpTo < slack && monotonicMs - ageCheckedMs < AGE_CHECK_MS) return;
    const limits = { upToId, beforeMs: clock.nowMs() - keptMs };
    let isMore = true;
    while (isMore) isMore = await store.write((tx) => deleteOldEvents(tx, limits)); // others write in between
    forgottenUpTo = Math.max(upToId, 0);
    ageCheckedMs = monotonicMs;
  };
}
