import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import type { Queries } from '../store/database.js';
import { openStore, type Store } from '../store/store.js';
import { type Keyring, startKeyring } from './keyring.js';

const ROOT = 'root_kid';
const SIGNING = 'signing_kid';
const COPY = 'copy root.key, signing.key and public/ from the data directory of a controller that runs on it';

/**
 * The keys in this directory, which are those of every controller on the store: the first one makes them, and for the
 * others they are copied.
 * @throws {MusterError} unsafe_key, storage_failed; and as startKeyring
 */
export async function startSharedKeyring(
  storeUrl: string,
  options: Parameters<typeof startKeyring>[0],
): Promise<Keyring> {
  const store = await openStore(storeUrl);
  try {
    await refuseToMakeKeys(store, options.directory);
    const keyring = startKeyring(options);
    try {
      await claimStore(store, keyring, options.clock.nowMs());
    } catch (error) {
      keyring.stop();
      throw error;
    }
    return keyring;
  } finally {
    await store.close();
  }
}

/** Keys that were made now would be others than those of the store. @throws {MusterError} unsafe_key */
async function refuseToMakeKeys(store: Store, directory: string): Promise<void> {
  if (existsSync(join(directory, 'signing.key')) && existsSync(join(directory, 'public', 'root.jwk.json'))) return;
  if ((await find(store.read, ROOT)) === undefined) return;
  throw new MusterError(
    'unsafe_key',
    `The store belongs to an installation whose keys are not in ${directory}: ${COPY}`,
  );
}

/**
 * Makes these keys the ones of the store, or holds them against those that are. A new signing key is taken while no
 * controller leads: those that run with the former one would sign what nobody believes.
 * @throws {MusterError} unsafe_key
 */
async function claimStore(store: Store, { keys: { root, signing } }: Keyring, nowMs: number): Promise<void> {
  const refusal = await store.write(async (tx) => {
    const known = { root: await find(tx, ROOT), signing: await find(tx, SIGNING) };
    if (known.root !== undefined && known.root !== root.kid) return 'The keys are not those of the store';
    if (known.signing === signing.kid) return undefined;
    const { expires_at } = await tx.selectFrom('lease').select('expires_at').executeTakeFirstOrThrow();
    if (known.signing !== undefined && expires_at > nowMs) {
      return 'The signing key is not that of the controllers that run: stop them first if it is to replace theirs';
    }
    for (const row of [
      { key: ROOT, value: root.kid },
      { key: SIGNING, value: signing.kid },
    ]) {
      await tx
        .insertInto('meta')
        .values(row)
        .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
        .execute();
    }
    return undefined;
  });
  if (refusal !== undefined) throw new MusterError('unsafe_key', `${refusal}; or ${COPY}`);
}

async function find(queries: Queries, key: string): Promise<string | undefined> {
  const row = await queries.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value;
}
