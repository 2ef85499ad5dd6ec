import type { Selectable } from 'kysely';
import { MusterError } from '../../protocol/errors.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { Role, USER_PATTERN, type UserView } from '../http/people-schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { Principal, Role as RoleName } from '../services.js';
import { type AuditEntry, appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { madeOf, makeOnce, type Refusal as NotMade } from '../store/made-once.js';
import type { Tables } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { Attempts } from './attempts.js';
import type { Gate } from './gate.js';
import { peopleBehind, writeHolders } from './holders.js';
import { isOfProvider } from './identities.js';
import { hashPassword, isPassword } from './passwords.js';
import type { PeopleService } from './people-service.js';
import { reaches } from './roles.js';
import { fingerprintOf } from './secrets.js';
import { BROWSER, LOGIN, revokeTokens } from './token-rows.js';

export type UserRow = Selectable<Tables['users']>;

/** What a password may have been given for, and ends with it. */
const SIGNED_IN = [LOGIN, BROWSER] as const;

type Deps = Readonly<{
  store: Store;
  clock: Clock;
  attempts: Attempts;
  /** Of the passwords of those who are let in: apart from the logins, which anybody may try. */
  gate: Gate;
}>;

/** Why a change of a user was not made: a value, since a failure inside a transaction would undo its neighbours. */
type Refusal = Readonly<{ code: 'conflict' | 'forbidden'; detail: string }>;

/** The people of an org. An admin looks after viewers and operators, an owner after everybody. */
export function createUsers({ store, clock, attempts, gate }: Deps): PeopleService {
  return {
    async listUsers(org, { limit, cursor }) {
      const rows = await store.read
        .selectFrom('users')
        .selectAll()
        .where('org', '=', org)
        .where('id', '>', readCursor(cursor, USER_PATTERN) ?? '')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem: toView });
    },
    async createUser(principal, { id, role, password }, once) {
      refuseHigher(principal, role);
      const nowMs = clock.nowMs();
      const row = {
        ...{ org: principal.org, id, role, created_at: nowMs, created_by: principal.id, disabled_at: null },
        password_hash: password === undefined ? null : await gate.run(() => hashPassword(password)),
        password_holders: writeHolders(password === undefined ? [] : peopleBehind(principal)),
      };
      const { org } = principal;
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          { find: (name) => findUser(tx, org, name), make: () => addNew(tx, principal, row) },
        ),
      );
      return toView(madeOf(outcome));
    },
    async changeUser(principal, id, { role, password, disabled }) {
      const nowMs = clock.nowMs();
      const hash = password === undefined ? undefined : await gate.run(() => hashPassword(password));
      const outcome = await store.write(async (tx): Promise<Refusal | UserRow | undefined> => {
        const row = await findUser(tx, principal.org, id);
        if (row === undefined) return undefined;
        const next: UserRow = {
          ...row,
          ...(role === undefined ? {} : { role }),
          ...(hash === undefined
            ? {}
            : { password_hash: hash, password_holders: writeHolders(peopleBehind(principal)) }),
          ...(disabled === undefined ? {} : { disabled_at: disabled ? (row.disabled_at ?? nowMs) : null }),
        };
        const refusal =
          (await refusalOf(tx, principal, { row, next })) ??
          (hash === undefined ? undefined : await passwordRefusalOf(tx, principal, id));
        if (refusal !== undefined) return refusal;
        if (hash === undefined && next.role === row.role && next.disabled_at === row.disabled_at) return row;
        await tx.updateTable('users').set(next).where('org', '=', row.org).where('id', '=', id).execute();
        if (hash !== undefined) await revokeTokens(tx, { user: id, names: SIGNED_IN }, { by: principal, nowMs });
        const details = {
          ...{ role: next.role, disabled: next.disabled_at !== null, password: hash !== undefined },
          fingerprint: fingerprintOf(next.password_hash),
        };
        await audit(tx, principal, { event: 'user_changed', id, nowMs, details });
        return next;
      });
      if (outcome === undefined) return undefined;
      if ('code' in outcome) throw new MusterError(outcome.code, outcome.detail);
      return toView(outcome);
    },
    async deleteUser(principal, id) {
      const nowMs = clock.nowMs();
      const outcome = await store.write(async (tx): Promise<Refusal | boolean> => {
        const row = await findUser(tx, principal.org, id);
        if (row === undefined) return false;
        const refusal = await refusalOf(tx, principal, { row, next: undefined });
        if (refusal !== undefined) return refusal;
        await revokeTokens(tx, { user: id }, { by: principal, nowMs });
        await tx.deleteFrom('users').where('org', '=', row.org).where('id', '=', id).execute();
        await audit(tx, principal, { event: 'user_deleted', id, nowMs });
        return true;
      });
      if (typeof outcome === 'boolean') return outcome;
      throw new MusterError(outcome.code, outcome.detail);
    },
    async changePassword(principal, { current, password }) {
      const key = `${principal.org}/${principal.id}`;
      const hashes = await gate.run(async () => {
        attempts.begin(key);
        const row = await findUser(store.read, principal.org, principal.id);
        if (!(await isPassword(current, row?.password_hash ?? null))) throw notCurrent();
        attempts.succeeded(key);
        return { before: row?.password_hash ?? null, after: await hashPassword(password) };
      });
      const nowMs = clock.nowMs();
      const isChanged = await store.write(async (tx) => {
        const { org, id } = principal;
        const { numUpdatedRows } = await tx
          .updateTable('users')
          .set({ password_hash: hashes.after, password_holders: writeHolders() })
          .where('org', '=', org)
          .where('id', '=', id)
          .where('password_hash', '=', hashes.before)
          .executeTakeFirst();
        if (Number(numUpdatedRows) === 0) return false;
        await revokeTokens(tx, { user: id, names: SIGNED_IN }, { by: principal, nowMs });
        await audit(tx, principal, {
          event: 'password_changed',
          id,
          nowMs,
          details: { fingerprint: fingerprintOf(hashes.after) },
        });
        return true;
      });
      if (!isChanged) throw notCurrent(); // somebody else has set another one meanwhile
    },
  };
}

async function addNew(
  tx: Queries,
  principal: Principal,
  row: UserRow,
): Promise<{ id: string; made: UserRow } | NotMade> {
  const { org, id, role, created_at: nowMs } = row;
  if ((await findUser(tx, org, id)) !== undefined) {
    return { refused: 'conflict', detail: `There is a user ${id} already` };
  }
  const refusal = row.password_hash === null ? undefined : await passwordRefusalOf(tx, principal, id);
  if (refusal !== undefined) return { refused: refusal.code, detail: refusal.detail };
  await tx.insertInto('users').values(row).execute();
  const details = { role, fingerprint: fingerprintOf(row.password_hash) };
  await audit(tx, principal, { event: 'user_created', id, nowMs, details });
  return { id, made: row };
}

function notCurrent(): MusterError {
  return new MusterError('unauthenticated', 'That is not the current password');
}

/** One user; undefined when there is none of this name. */
export function findUser(queries: Queries, org: string, id: string): Promise<UserRow | undefined> {
  return queries.selectFrom('users').selectAll().where('org', '=', org).where('id', '=', id).executeTakeFirst();
}

/** Adds the first owner, in the transaction of their token. */
export async function insertOwner(tx: Queries, { org, id, nowMs }: { org: string; id: string; nowMs: number }) {
  const maker = { id: 'controller', org };
  const row = { org, id, role: 'owner', password_hash: null, created_at: nowMs, created_by: maker.id };
  await tx
    .insertInto('users')
    .values({ ...row, disabled_at: null })
    .execute();
  await audit(tx, maker, { event: 'user_created', id, nowMs, details: { role: row.role, fingerprint: null } });
}

/** @throws {MusterError} forbidden */
function refuseHigher(principal: Principal, role: RoleName): void {
  if (mayManage(principal, role)) return;
  throw new MusterError('forbidden', `Users with the role ${role} are the owners' to make and to change`);
}

function mayManage({ role }: Principal, other: string): boolean {
  return role === 'owner' || (reaches(role, 'admin') && !reaches(Role.parse(other), 'admin'));
}

async function refusalOf(
  tx: Queries,
  principal: Principal,
  { row, next }: { row: UserRow; next: UserRow | undefined },
): Promise<Refusal | undefined> {
  if (!mayManage(principal, row.role) || (next !== undefined && !mayManage(principal, next.role))) {
    return { code: 'forbidden', detail: 'Admins and owners are the owners to change' };
  }
  const remains = next !== undefined && next.role === 'owner' && next.disabled_at === null;
  if (row.role !== 'owner' || row.disabled_at !== null || remains) return undefined;
  const others = await tx
    .selectFrom('users')
    .leftJoin('identities', (join) =>
      join.onRef('identities.org', '=', 'users.org').onRef('identities.user_id', '=', 'users.id'),
    )
    .select('users.id')
    .where('users.org', '=', row.org)
    .where('users.role', '=', 'owner')
    .where('users.disabled_at', 'is', null)
    .where('users.id', '!=', row.id)
    .where('identities.user_id', 'is', null) // what a provider gives, it may take away at the next sign-in
    .limit(1)
    .executeTakeFirst();
  return others === undefined ? { code: 'conflict', detail: `${row.id} is the last owner` } : undefined;
}

/** With a password somebody would get in whom the provider no longer lets in. */
async function passwordRefusalOf(tx: Queries, { org, role }: Principal, id: string): Promise<Refusal | undefined> {
  if (role === 'owner' || !(await isOfProvider(tx, org, id))) return undefined;
  return { code: 'forbidden', detail: `${id} signs in at the provider: only an owner may set a password` };
}

function audit(
  tx: Queries,
  { org, id: actor }: Pick<Principal, 'org' | 'id'>,
  entry: { event: string; id: string; nowMs: number; details?: AuditEntry['details'] },
): Promise<void> {
  const { event, id, nowMs, details = {} } = entry;
  return appendAudit(tx, [{ atMs: nowMs, org, actor, event, subject: `user:${id}`, details }]);
}

function toView(row: UserRow): UserView {
  return {
    id: row.id,
    role: Role.parse(row.role),
    has_password: row.password_hash !== null,
    disabled: row.disabled_at !== null,
    created_at: toTime(row.created_at),
    created_by: row.created_by,
  };
}
