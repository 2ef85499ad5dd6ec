import type { Selectable } from 'kysely';
import { sha256Hex } from '../../protocol/envelope.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import type { Tables } from '../store/schema.js';

export type IdentityRow = Selectable<Tables['identities']>;

/** Somebody as a provider names them; what else it says of them may change, or be what they typed. */
export type Identity = Readonly<{ issuer: string; subject: string }>;

/** Which user this is; undefined for somebody who was never let in. */
export function findIdentity(
  queries: Queries,
  org: string,
  { issuer, subject }: Identity,
): Promise<IdentityRow | undefined> {
  return queries
    .selectFrom('identities')
    .selectAll()
    .where('org', '=', org)
    .where('issuer', '=', issuer)
    .where('subject', '=', subject)
    .executeTakeFirst();
}

/** Whether the user signs in at a provider, or did until they were deleted. */
export async function isOfProvider(queries: Queries, org: string, user: string): Promise<boolean> {
  const row = await queries
    .selectFrom('identities')
    .select('user_id')
    .where('org', '=', org)
    .where('user_id', '=', user)
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes for ever which user this is, with its audit row. */
export async function insertIdentity(tx: Queries, row: IdentityRow): Promise<void> {
  await tx.insertInto('identities').values(row).execute();
  const { org, user_id, created_at: atMs } = row;
  const subject = `user:${user_id}`;
  const details = { identity: identityDigest(row) };
  await appendAudit(tx, [{ atMs, org, actor: 'controller', event: 'identity_linked', subject, details }]);
}

/** What the audit trail knows an identity by. */
export function identityDigest({ issuer, subject }: Identity): string {
  return sha256Hex(JSON.stringify([issuer, subject]));
}
