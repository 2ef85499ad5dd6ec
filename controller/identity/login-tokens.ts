import { Role } from '../http/people-schemas.js';
import type { Tx } from '../store/database.js';
import { insertToken, LOGIN, makeToken, type TokenRow } from './token-rows.js';
import type { UserRow } from './users.js';

const LIFE_MS = 12 * 3_600_000;

/**
 * Adds a token for 12 h, with the role of the user, for whoever has just proven to be them; streams hear of it.
 * `holders` are the people who may have done so.
 */
export async function addLogin(
  tx: Tx,
  { org, id: user, role }: UserRow,
  { holders, nowMs }: Readonly<{ holders: readonly string[]; nowMs: number }>,
): Promise<{ row: TokenRow; token: string }> {
  const of = { org, user, name: LOGIN, role: Role.parse(role), createdBy: user } as const;
  const made = makeToken({ ...of, holders, expiresMs: nowMs + LIFE_MS, nowMs });
  await insertToken(tx, made.row);
  tx.tell({ org, event: { type: 'login', user, token_id: made.row.id } });
  return made;
}
