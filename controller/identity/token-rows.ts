import type { Selectable } from 'kysely';
import { revokeGrants } from '../grants/revoke.js';
import type { Principal, Role } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries, Tx } from '../store/database.js';
import type { Tables } from '../store/schema.js';
import { writeHolders } from './holders.js';
import { fingerprintOf, hashSecret, randomSecret, randomTokenId } from './secrets.js';

export type TokenRow = Selectable<Tables['api_tokens']>;

/** The name of a token that a password was given for. */
export const LOGIN = 'login';

/** The name of a token that a browser keeps in its cookie. */
export const BROWSER = 'browser';

/**
 * A new row, and the token itself: `mst_` with id and secret, a random one when none is given. `parent` is the id of the
 * token that it is made through.
 */
export function makeToken(of: {
  org: string;
  user: string;
  name: string;
  role: Role;
  createdBy: string;
  parent?: string | undefined;
  /** The people who are shown it. */
  holders: readonly string[];
  secret?: string | undefined;
  expiresMs: number | null;
  nowMs: number;
}): { row: TokenRow; token: string } {
  const id = randomTokenId();
  const { org, user, name, role, createdBy, parent = null, holders, secret = randomSecret(), expiresMs, nowMs } = of;
  const row = {
    ...{ id, org, principal: user, role, name, parent, holders: writeHolders(holders) },
    ...{ secret_sha256: hashSecret(secret), created_at: nowMs, created_by: createdBy, expires_at: expiresMs },
  };
  return { row, token: formatToken(id, secret) };
}

/** The spelling of an API token. */
export function formatToken(id: string, secret: string): string {
  return `mst_${id}_${secret}`;
}

/** Adds a token; false when the one that it is made through has ended meanwhile. */
export async function insertToken(tx: Queries, row: TokenRow): Promise<boolean> {
  const { org, id, principal, role, parent, expires_at, created_by: actor, created_at: atMs } = row;
  if (parent !== null && (await findToken(tx, org, parent)) === undefined) return false;
  await tx.insertInto('api_tokens').values(row).execute();
  const details = { user: principal, role, expires_at, fingerprint: fingerprintOf(row.secret_sha256) };
  await appendAudit(tx, [{ atMs, org, actor, event: 'token_created', subject: `token:${id}`, details }]);
  return true;
}

/** One token; undefined when there is none of this id. */
export function findToken(queries: Queries, org: string, id: string): Promise<TokenRow | undefined> {
  return queries.selectFrom('api_tokens').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

type Which = Readonly<{ id: string } | { user: string; names?: readonly string[] }>;
type Meta = Readonly<{ by: Pick<Principal, 'org' | 'id'>; nowMs: number }>;

/** Deletes a token, or those of a user (all, or of these names), with every token that was made through them. */
export async function deleteTokens(
  tx: Queries,
  which: Which,
  { by: { org, id: actor }, nowMs }: Meta,
): Promise<readonly Pick<TokenRow, 'id' | 'principal'>[]> {
  const deleted = await tx
    .withRecursive('family(id)', (db) => {
      const all = db.selectFrom('api_tokens').select('id').where('org', '=', org);
      const own = 'id' in which ? all.where('id', '=', which.id) : all.where('principal', '=', which.user);
      const first = 'names' in which && which.names !== undefined ? own.where('name', 'in', which.names) : own;
      // Not `unionAll`: a token that two of them lead to is one.
      return first.union(
        db.selectFrom('api_tokens').innerJoin('family', 'family.id', 'api_tokens.parent').select('api_tokens.id'),
      );
    })
    .deleteFrom('api_tokens')
    .where('id', 'in', (eb) => eb.selectFrom('family').select('family.id'))
    .returning(['id', 'principal'])
    .execute();
  await appendAudit(
    tx,
    deleted.map(({ id }) => ({ atMs: nowMs, org, actor, event: 'token_deleted', subject: `token:${id}` })),
  );
  return deleted;
}

/**
 * The same where tokens are taken from somebody: with the grants that were made with them, and those that the same people
 * made with a token that has ended, since nobody can tell any more through which other one they had that.
 */
export async function revokeTokens(tx: Tx, which: Which, meta: Meta): Promise<void> {
  const deleted = await deleteTokens(tx, which, meta);
  await revokeGrants(tx, { tokens: deleted.map(({ id }) => id) }, meta);
  const people = new Set(deleted.map(({ principal }) => principal));
  if ('user' in which) people.add(which.user);
  const isAll = 'user' in which && which.names === undefined;
  for (const maker of people) {
    await revokeGrants(tx, { maker, withEndedToken: !(isAll && maker === which.user) }, meta);
  }
}
