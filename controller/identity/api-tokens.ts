import { Me } from '../http/schemas.js';
import type { Principal } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Store } from '../store/store.js';
import { hashSecret, isSecret, randomSecret, randomTokenId } from './secrets.js';

const API_TOKEN = /^mst_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})$/;
/** Compared against when no token has the id, so that an unknown id takes as long as a wrong secret. */
const NO_SECRET = '0'.repeat(64);

/** Who an API token speaks for; undefined when nobody. Read at each call, so that a removed token ends at once. */
export async function principalOf(store: Store, bearer: string): Promise<Principal | undefined> {
  const [, id, secret] = API_TOKEN.exec(bearer) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const row = await store.read.selectFrom('api_tokens').selectAll().where('id', '=', id).executeTakeFirst();
  const holds = isSecret(secret, row?.secret_sha256 ?? NO_SECRET);
  if (row === undefined || !holds) return undefined;
  return Me.parse({ id: row.principal, org: row.org, role: row.role });
}

/** Makes the owner's token when there is no token at all; undefined when there is one already. Shown this once. */
export async function ensureOwnerToken(store: Store, org: string, nowMs: number): Promise<string | undefined> {
  const id = randomTokenId();
  const secret = randomSecret();
  const made = await store.write(async (tx) => {
    const any = await tx.selectFrom('api_tokens').select('id').where('org', '=', org).limit(1).executeTakeFirst();
    if (any !== undefined) return false;
    await tx
      .insertInto('api_tokens')
      .values({ id, org, principal: 'owner', role: 'owner', secret_sha256: hashSecret(secret), created_at: nowMs })
      .execute();
    await appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event: 'token_created', subject: `token:${id}` }]);
    return true;
  });
  return made ? `mst_${id}_${secret}` : undefined;
}
