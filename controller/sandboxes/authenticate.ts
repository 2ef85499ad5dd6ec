import { isSecret } from '../identity/secrets.js';
import type { Principal } from '../services.js';
import type { Store } from '../store/store.js';
import { readPrincipal } from './rows.js';

const SANDBOX_TOKEN = /^msb_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})$/;
/** Compared against when no sandbox has the id, so that an unknown id takes as long as a wrong secret. */
const NO_SECRET = '0'.repeat(64);

/**
 * The sandbox that a token speaks for; undefined when none. Read at each call, so that a removed sandbox, a replaced token
 * and other connections are in force at once (promise 20).
 */
export async function sandboxPrincipalOf(
  { read }: Pick<Store, 'read'>,
  bearer: string,
  nowMs: number,
): Promise<Principal | undefined> {
  const [, id, secret] = SANDBOX_TOKEN.exec(bearer) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const row = await read.selectFrom('sandboxes').selectAll().where('token_id', '=', id).executeTakeFirst();
  const holds = isSecret(secret, row?.secret_sha256 ?? NO_SECRET);
  if (row === undefined || !holds || (row.expires_at !== null && row.expires_at <= nowMs)) return undefined;
  return readPrincipal(read, row);
}
