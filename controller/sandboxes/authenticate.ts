import type { Clock } from '../../runtime/clock.js';
import { isSecret } from '../identity/secrets.js';
import { createRateLimit } from '../polling/rate-limit.js';
import type { Principal } from '../services.js';
import type { Store } from '../store/store.js';
import { readPrincipal } from './rows.js';

const SANDBOX_TOKEN = /^msb_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})$/;
/** Compared against when no sandbox has the id, so that an unknown id takes as long as a wrong secret. */
const NO_SECRET = '0'.repeat(64);

/** Calls of one sandbox in a minute, of any kind: what is refused costs something, too. */
const CALLS_PER_MINUTE = 600;

type Deps = Readonly<{ store: Pick<Store, 'read'>; clock: Clock }>;

/**
 * The sandbox that a token speaks for; undefined when none. Read at each call, so that a removed sandbox and a replaced
 * token are in force at once (promise 20).
 * @throws {MusterError} rate_limited: it has called too often
 */
export function createSandboxAuthentication({
  store,
  clock,
}: Deps): (bearer: string) => Promise<Principal | undefined> {
  const calls = createRateLimit(clock, CALLS_PER_MINUTE);
  return async (bearer) => {
    const [, id, secret] = SANDBOX_TOKEN.exec(bearer) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const row = await store.read.selectFrom('sandboxes').selectAll().where('token_id', '=', id).executeTakeFirst();
    const holds = isSecret(secret, row?.secret_sha256 ?? NO_SECRET);
    if (row === undefined || !holds || (row.expires_at !== null && row.expires_at <= clock.nowMs())) return undefined;
    calls.pass(row.id);
    return readPrincipal(store.read, row);
  };
}
