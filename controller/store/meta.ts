import { randomBytes } from 'node:crypto';
import type { Store } from './store.js';

const INSTANCE = 'instance';

/** The name of this controller in its client id: the configured one, else one that was made once and kept. */
export async function ensureInstance(store: Store, configured: string | undefined): Promise<string> {
  if (configured !== undefined) return configured;
  const made = randomBytes(6).toString('hex');
  return store.write(async (tx) => {
    const known = await tx.selectFrom('meta').select('value').where('key', '=', INSTANCE).executeTakeFirst();
    if (known !== undefined) return known.value;
    await tx.insertInto('meta').values({ key: INSTANCE, value: made }).execute();
    return made;
  });
}
