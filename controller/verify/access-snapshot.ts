import { isMusterError } from '../../protocol/errors.js';
import { admitKey } from '../../protocol/keys.js';
import { groupBy } from '../grouping.js';
import { connectionsDigest } from '../sandboxes/rows.js';
import type { Queries } from '../store/database.js';

/** A key of a node as it is stored, and as what it is believed. */
export type KeyRow = Readonly<{
  node: string;
  kid: string;
  /** Of the stored octets; empty when they are no key. A node that polls has none, which is its `kid` as well. */
  thumbprint: string;
  isBelieved: boolean;
  enrolled_at: number;
}>;

/** Who may do what at one moment, and the row of the audit trail that was the last then. */
export type AccessSnapshot = Awaited<ReturnType<typeof readAccess>>;

/** Reads it in one transaction: no change lies between two of the tables. */
export function readAccess(read: Queries) {
  return read
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const last = await tx.selectFrom('audit').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst();
      const users = await tx.selectFrom('users').selectAll().execute();
      const identities = await tx.selectFrom('identities').selectAll().execute();
      const tokens = await tx.selectFrom('api_tokens').selectAll().execute();
      const nodeTokens = await tx.selectFrom('node_tokens').selectAll().execute();
      const enrollmentTokens = await tx.selectFrom('enrollment_tokens').selectAll().execute();
      const sandboxes = await readSandboxes(tx);
      const policies = await tx.selectFrom('policies').selectAll().execute();
      const keys = [...(await readBelieved(tx)), ...(await readFormer(tx))];
      const integrations = await tx.selectFrom('integrations').selectAll().execute();
      const grants = await tx.selectFrom('grants').selectAll().execute();
      const people = { users, identities, tokens, nodeTokens, enrollmentTokens };
      const held = { ...people, sandboxes, grants, policies, keys, integrations };
      const size = Object.values(held).reduce((sum, { length }) => sum + length, 0);
      return { through: last?.seq ?? 0, ...held, size };
    });
}

/** With the digest by which the trail knows the connections of each. */
async function readSandboxes(tx: Queries) {
  const rows = await tx.selectFrom('sandboxes').selectAll().execute();
  const connections = groupBy(
    await tx.selectFrom('sandbox_connections').selectAll().orderBy('id').execute(),
    (each) => each.sandbox,
  );
  return rows.map((row) => ({ ...row, connections: connectionsDigest(connections.get(row.id) ?? []) }));
}

/** What the controller goes by after its next start. */
async function readBelieved(tx: Queries): Promise<KeyRow[]> {
  const rows = await tx
    .selectFrom('nodes')
    .select(['node', 'kid', 'public_jwk', 'transport', 'enrolled_at'])
    .where('revoked_at', 'is', null)
    .execute();
  return rows.map(({ node, kid, public_jwk, transport, enrolled_at }) => {
    if (transport === 'http') return { node, kid: '', thumbprint: '', isBelieved: true, enrolled_at };
    return { node, kid, thumbprint: thumbprintOf(public_jwk), isBelieved: true, enrolled_at };
  });
}

/** By what results are verified that came before. */
async function readFormer(tx: Queries): Promise<KeyRow[]> {
  const rows = await tx.selectFrom('node_keys').selectAll().execute();
  return rows.map(({ node, kid, public_jwk, enrolled_at, revoked_at }) => {
    return { node, kid, thumbprint: thumbprintOf(public_jwk), isBelieved: revoked_at === null, enrolled_at };
  });
}

function thumbprintOf(publicJwk: string): string {
  try {
    return admitKey(JSON.parse(publicJwk)).kid;
  } catch (error) {
    if (isMusterError(error) || error instanceof SyntaxError) return '';
    throw error;
  }
}
