import { isMusterError } from '../protocol/errors.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { Store } from './store/store.js';

/** Its key in the table `meta`; the value is when the store took a change again, in milliseconds since 1970. */
const TAKEN_AGAIN = 'store_taken_again_at';

/**
 * Gives whether the store takes changes; called each second. While it does not a small one is tried, since nobody may
 * ask for any other meanwhile, and `/readyz` has to know when the disk is mended.
 */
export function createStoreWatch({
  store,
  clock,
  log,
}: {
  store: Store;
  clock: Clock;
  log: Logger;
}): () => Promise<boolean> {
  let wasFailing = false;
  return async () => {
    if (store.isFailing()) {
      if (!wasFailing) log.error('store takes no changes');
      wasFailing = true;
      await tryChange(store, clock.nowMs());
    }
    const isFailing = store.isFailing();
    if (wasFailing && !isFailing) log.info('store takes changes again');
    wasFailing = isFailing;
    return !isFailing;
  };
}

async function tryChange({ write }: Store, nowMs: number): Promise<void> {
  const row = { key: TAKEN_AGAIN, value: String(nowMs) };
  try {
    await write((tx) =>
      tx
        .insertInto('meta')
        .values(row)
        .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
        .execute(),
    );
  } catch (error) {
    if (!isMusterError(error)) throw error;
  }
}
