import { Role } from '../http/people-schemas.js';
import type { Principal, Role as RoleName } from '../services.js';
import type { Tx } from '../store/database.js';
import { lesser } from './roles.js';
import { type BROWSER, insertToken, LOGIN, makeToken, type TokenRow } from './token-rows.js';
import type { UserRow } from './users.js';

const LIFE_MS = 12 * 3_600_000;

type Login = Readonly<{
  name?: typeof LOGIN | typeof BROWSER;
  /** At most this, and at most the role of the user. */
  role?: RoleName;
  /** The token that proved it: what is made ends with it. */
  through?: Principal['token'];
  /** The people who may have proven it. */
  holders: readonly string[];
  nowMs: number;
}>;

/**
 * Adds a token for 12 h, with the role of the user, for whoever has just proven to be them; streams hear of it.
 * Undefined when the token that proved it has ended meanwhile.
 */
export async function addLogin(
  tx: Tx,
  { org, id: user, role: most }: UserRow,
  { name = LOGIN, role = Role.parse(most), through, holders, nowMs }: Login,
): Promise<{ row: TokenRow; token: string } | undefined> {
  const expiresMs = Math.min(nowMs + LIFE_MS, through?.expiresMs ?? Number.POSITIVE_INFINITY);
  if (expiresMs <= nowMs) return undefined;
  const of = { org, user, name, role: lesser(role, Role.parse(most)), createdBy: user, parent: through?.id };
  const made = makeToken({ ...of, holders, expiresMs, nowMs });
  if (!(await insertToken(tx, made.row))) return undefined;
  tx.tell({ org, event: { type: 'login', user, token_id: made.row.id } });
  return made;
}
