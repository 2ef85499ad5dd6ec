import { parseDuration } from '../../protocol/durations.js';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { type ApiTokenView, Role } from '../http/people-schemas.js';
import { readTimeCursor, timeKey, toPage } from '../paging.js';
import type { Principal, Role as RoleName } from '../services.js';
import { appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { madeOf, makeOnce, type Refusal } from '../store/made-once.js';
import type { Store } from '../store/store.js';
import type { Attempts } from './attempts.js';
import type { Gate } from './gate.js';
import { peopleBehind, readHolders } from './holders.js';
import { addLogin } from './login-tokens.js';
import { isPassword } from './passwords.js';
import type { TokenService } from './people-service.js';
import type { OnRefusedLogin } from './refused-logins.js';
import { lesser, reaches } from './roles.js';
import { isSecret } from './secrets.js';
import {
  type BROWSER,
  deleteTokens,
  findToken,
  formatToken,
  insertToken,
  LOGIN,
  makeToken,
  revokeTokens,
  type TokenRow,
} from './token-rows.js';
import { findUser, insertOwner, type UserRow } from './users.js';

const API_TOKEN = /^mst_([a-z0-9]{8,32})_([A-Za-z0-9]{16,64})$/;
/** Compared against when no token has the id, so that an unknown id takes as long as a wrong secret. */
const NO_SECRET = '0'.repeat(64);
const HOUR_MS = 3_600_000;
const MAX_LIFE_MS = 366 * 24 * HOUR_MS;
const USUAL_LIFE_MS = 90 * 24 * HOUR_MS;
const OWNER = 'owner';

/**
 * Who an API token speaks for; undefined when nobody. Read at each call, so that a removed token, a disabled user and a
 * lesser role are in force at once (promise 20).
 */
export async function principalOf(store: Store, bearer: string, nowMs: number): Promise<Principal | undefined> {
  const { id, secret } = parseToken(bearer) ?? {};
  if (id === undefined || secret === undefined) return undefined;
  const row = await store.read
    .selectFrom('api_tokens')
    .innerJoin('users', (join) =>
      join.onRef('users.org', '=', 'api_tokens.org').onRef('users.id', '=', 'api_tokens.principal'),
    )
    .selectAll('api_tokens')
    .select(['users.role as user_role', 'users.disabled_at'])
    .where('api_tokens.id', '=', id)
    .executeTakeFirst();
  const holds = isSecret(secret, row?.secret_sha256 ?? NO_SECRET);
  if (row === undefined || !holds || row.disabled_at !== null) return undefined;
  if (row.expires_at !== null && row.expires_at <= nowMs) return undefined;
  const role = lesser(Role.parse(row.role), Role.parse(row.user_role));
  return {
    id: row.principal,
    org: row.org,
    role,
    token: { id: row.id, expiresMs: row.expires_at, holders: readHolders(row.holders) },
  };
}

/** Makes the owner and a token of theirs when there is no user at all; undefined when there is one. Shown this once. */
export async function ensureOwnerToken(store: Store, org: string, nowMs: number): Promise<string | undefined> {
  const made = makeToken({
    org,
    user: OWNER,
    name: 'first',
    role: 'owner',
    createdBy: 'controller',
    holders: [],
    expiresMs: null,
    nowMs,
  });
  const isNew = await store.write(async (tx) => {
    const any = await tx.selectFrom('users').select('id').where('org', '=', org).limit(1).executeTakeFirst();
    if (any !== undefined) return false;
    await insertOwner(tx, { org, id: OWNER, nowMs });
    await insertToken(tx, made.row);
    return true;
  });
  return isNew ? made.token : undefined;
}

/**
 * A new token of an owner, for whoever may write the store itself and has lost every other; undefined when the org has
 * no owner, which cannot come about. Audited as `owner_recovered`.
 */
export async function recoverOwnerToken(store: Store, org: string, nowMs: number): Promise<string | undefined> {
  return store.write(async (tx) => {
    const owner = await tx
      .selectFrom('users')
      .select('id')
      .where('org', '=', org)
      .where('role', '=', 'owner')
      .where('disabled_at', 'is', null)
      .orderBy('created_at')
      .limit(1)
      .executeTakeFirst();
    if (owner === undefined) return undefined;
    const of = { org, user: owner.id, name: 'recovered', role: 'owner', createdBy: 'controller', holders: [] } as const;
    const made = makeToken({ ...of, expiresMs: null, nowMs });
    await insertToken(tx, made.row);
    const subject = `user:${owner.id}`;
    await appendAudit(tx, [{ atMs: nowMs, org, actor: 'controller', event: 'owner_recovered', subject }]);
    return made.token;
  });
}

/** The tokens of people and programs, each stored as the hash of its secret. */
export function createTokens({
  store,
  clock,
  attempts,
  gate,
  onRefusedLogin,
}: {
  store: Store;
  clock: Clock;
  attempts: Attempts;
  /** Of logins: anybody may try. */
  gate: Gate;
  onRefusedLogin: OnRefusedLogin;
}): TokenService {
  return {
    async create(principal, ask, once) {
      const { user = principal.id, name } = ask;
      const nowMs = clock.nowMs();
      const lifeMs = ask.expires_in === undefined ? USUAL_LIFE_MS : Math.ceil(parseDuration(ask.expires_in) ?? 0);
      if (lifeMs > MAX_LIFE_MS) throw new MusterError('invalid_request', 'expires_in may be a year at most');
      const role = await grantable(store, principal, { user, role: ask.role });
      const { org, id: createdBy, token: through } = principal;
      const expiresMs = Math.min(nowMs + lifeMs, through?.expiresMs ?? Number.POSITIVE_INFINITY);
      const { secret } = once ?? {};
      const made = makeToken({
        ...{ org, user, name, role, createdBy, expiresMs, nowMs, secret },
        parent: through?.id,
        holders: peopleBehind(principal),
      });
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          { find: (id) => findToken(tx, org, id), make: () => addNew(tx, made.row) },
        ),
      );
      const row = madeOf(outcome);
      return { ...toTokenView(row), token: secret === undefined ? made.token : formatToken(row.id, secret) };
    },
    async list({ org, id, role }, { limit, cursor }) {
      const after = readTimeCursor(cursor);
      let query = store.read.selectFrom('api_tokens').selectAll().where('org', '=', org);
      if (!reaches(role, 'admin')) query = query.where('principal', '=', id);
      if (after !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('created_at', 'id'), '<', tuple(after.atMs, after.id)),
        );
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: timeKey, toItem: toTokenView });
    },
    delete: (principal, id) => removeToken(store, principal, { id, nowMs: clock.nowMs(), by: revokeTokens }),
    async login(org, { user, password }, name = LOGIN) {
      const key = `${org}/${user}`;
      let known: UserRow | undefined;
      try {
        const isRight = await gate.run(async () => {
          attempts.begin(key); // inside the gate: what is not looked at is no try
          known = await findUser(store.read, org, user);
          return isPassword(password, known?.password_hash ?? null);
        });
        const made =
          known === undefined || !isRight ? undefined : await insertLogin(store, known, { name, nowMs: clock.nowMs() });
        if (made === undefined) throw new MusterError('unauthenticated', 'The name or the password is wrong');
        attempts.succeeded(key);
        return { ...toTokenView(made.row), token: made.token };
      } catch (error) {
        if (isMusterError(error, 'unauthenticated') || isMusterError(error, 'rate_limited')) onRefusedLogin(known?.id);
        throw error;
      }
    },
    async logout(principal, bearer) {
      const { id } = parseToken(bearer) ?? {};
      if (id !== undefined) await removeToken(store, principal, { id, nowMs: clock.nowMs(), by: deleteTokens });
    },
  };
}

async function addNew(tx: Queries, row: TokenRow): Promise<{ id: string; made: TokenRow } | Refusal> {
  const { id, org, principal: user } = row;
  // A row for nobody would speak for whoever gets the name next.
  if ((await findUser(tx, org, user)) === undefined)
    return { refused: 'not_found', detail: `There is no user ${user}` };
  if (await insertToken(tx, row)) return { id, made: row };
  return { refused: 'unauthenticated', detail: 'The token that came with the request has ended' };
}

/** A token for whoever gave the password of this row; undefined when the user is not let in, or has another by now. */
function insertLogin(
  store: Store,
  { org, id: user, password_hash }: UserRow,
  { name, nowMs }: Readonly<{ name: typeof LOGIN | typeof BROWSER; nowMs: number }>,
) {
  return store.write(async (tx) => {
    const now = await findUser(tx, org, user);
    if (now === undefined || now.disabled_at !== null || now.password_hash !== password_hash) return undefined;
    return addLogin(tx, now, { name, holders: [user, ...readHolders(now.password_holders)], nowMs });
  });
}

/** Forgets tokens that have run out. */
export async function deleteExpiredTokens(tx: Queries, nowMs: number): Promise<void> {
  const gone = await tx.deleteFrom('api_tokens').where('expires_at', '<=', nowMs).returning(['id', 'org']).execute();
  const entry = { atMs: nowMs, actor: 'controller', event: 'token_expired' };
  await appendAudit(
    tx,
    gone.map(({ id, org }) => ({ ...entry, org, subject: `token:${id}` })),
  );
}

/** The two halves of an API token of a person; undefined for what is none. */
export function parseToken(bearer: string): { id: string; secret: string } | undefined {
  const [, id, secret] = API_TOKEN.exec(bearer) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** The role that a new token gets. @throws {MusterError} forbidden, not_found */
async function grantable(
  store: Store,
  principal: Principal,
  { user, role }: { user: string; role: RoleName | undefined },
): Promise<RoleName> {
  if (user !== principal.id && !reaches(principal.role, 'admin')) {
    throw new MusterError('forbidden', 'A token for somebody else needs the role admin');
  }
  const row = await findUser(store.read, principal.org, user);
  if (row === undefined) throw new MusterError('not_found', `There is no user ${user}`);
  const most = Role.parse(row.role);
  // Whoever makes a token for an owner could act as one.
  if (!reaches(principal.role, role ?? most)) {
    throw new MusterError('forbidden', `A token with the role ${role ?? most} is more than yours`);
  }
  if (role !== undefined && !reaches(most, role)) {
    throw new MusterError('forbidden', `${user} has the role ${most}, and a token has no more`);
  }
  return role ?? most;
}

/**
 * One's own, and for an admin anybody's, but none that may more than the one that comes with the call. Who logs out
 * takes back nothing, and their grants stay.
 */
function removeToken(
  store: Store,
  principal: Principal,
  { id, nowMs, by: remove }: { id: string; nowMs: number; by: typeof deleteTokens | typeof revokeTokens },
): Promise<boolean> {
  return store.write(async (tx) => {
    const { org, id: actor, role } = principal;
    const row = await findToken(tx, org, id);
    const user = row === undefined ? undefined : await findUser(tx, org, row.principal);
    if (row === undefined || user === undefined) return false;
    const may = lesser(Role.parse(row.role), Role.parse(user.role));
    if (!reaches(role, may) || !(row.principal === actor || reaches(role, 'admin'))) return false;
    await remove(tx, { id }, { by: principal, nowMs });
    return true;
  });
}

/** A token as callers see it: without its secret. */
export function toTokenView(row: TokenRow): ApiTokenView {
  return {
    id: row.id,
    user: row.principal,
    name: row.name,
    role: Role.parse(row.role),
    created_at: toTime(row.created_at),
    created_by: row.created_by,
    expires_at: row.expires_at === null ? null : toTime(row.expires_at),
  };
}
