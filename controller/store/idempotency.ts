import type { Queries } from './database.js';

/** How long the same key gets the same answer. */
const IDEMPOTENCY_MS = 24 * 3600 * 1000;

/** Who used which key, and for what: `bodySha256` is of what was asked. */
export type IdempotencyUse = Readonly<{ principal: string; key: string; bodySha256: string; nowMs: number }>;

/** What this key was used for in the last 24 hours; undefined when it is new. */
export async function findIdempotentUse(
  queries: Queries,
  { principal, key, bodySha256, nowMs }: IdempotencyUse,
): Promise<{ kind: 'same'; madeId: string } | { kind: 'other_body' } | undefined> {
  const row = await queries
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('principal', '=', principal)
    .where('key', '=', key)
    .executeTakeFirst();
  if (row === undefined || row.created_at <= nowMs - IDEMPOTENCY_MS) return undefined;
  return row.body_sha256 === bodySha256 ? { kind: 'same', madeId: row.made_id } : { kind: 'other_body' };
}

/** Remembers the key; one that is older than a day is overwritten. */
export async function insertIdempotentUse(
  tx: Queries,
  { principal, key, bodySha256, nowMs }: IdempotencyUse,
  madeId: string,
): Promise<void> {
  const row = { principal, key, body_sha256: bodySha256, made_id: madeId, created_at: nowMs };
  await tx
    .insertInto('idempotency_keys')
    .values(row)
    .onConflict((conflict) => conflict.columns(['principal', 'key']).doUpdateSet(row))
    .execute();
}

/** Forgets keys that are older than a day. */
export async function deleteOldIdempotentUses(tx: Queries, nowMs: number): Promise<void> {
  await tx
    .deleteFrom('idempotency_keys')
    .where('created_at', '<=', nowMs - IDEMPOTENCY_MS)
    .execute();
}
