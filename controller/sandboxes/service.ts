import { uuidv7 } from 'uuidv7';
import { parseDuration } from '../../protocol/durations.js';
import { MusterError } from '../../protocol/errors.js';
import { UUID_PATTERN } from '../../protocol/ids.js';
import { type Clock, toTime } from '../../runtime/clock.js';
import { revokeGrants } from '../grants/revoke.js';
import { groupBy } from '../grouping.js';
import { type CreateSandbox, SandboxStatus, type SandboxView } from '../http/sandbox-schemas.js';
import { peopleBehind, readHolders, writeHolders } from '../identity/holders.js';
import { fingerprintOf, hashSecret, isSecret, randomSecret, randomTokenId } from '../identity/secrets.js';
import { readCursor, toPage } from '../paging.js';
import type { Principal } from '../services.js';
import { type AuditEntry, appendAudit } from '../store/audit.js';
import type { Queries } from '../store/database.js';
import { findIntegration } from '../store/integrations.js';
import { type Made, madeOf, makeOnce, type Refusal } from '../store/made-once.js';
import type { Store } from '../store/store.js';
import type { SandboxService } from './contract.js';
import {
  connectionsDigest,
  findConnections,
  findSandbox,
  type NamedConnection,
  readConnection,
  readPrincipal,
  type SandboxRow,
} from './rows.js';

const HOUR_MS = 3_600_000;
const MAX_LIFE_MS = 366 * 24 * HOUR_MS;
const USUAL_LIFE_MS = 90 * 24 * HOUR_MS;

type Whole = Readonly<{ row: SandboxRow; connections: readonly NamedConnection[] }>;

/** Restricted identities of programs: each may ask for what its connections name, and no more. */
export function createSandboxes({ store, clock }: { store: Store; clock: Clock }): SandboxService {
  const view = async (row: SandboxRow): Promise<SandboxView> =>
    toView(row, await findConnections(store.read, [row.id]));
  return {
    async create(principal, ask, once) {
      const nowMs = clock.nowMs();
      const { secret, columns } = makeToken(ask.expires_in, nowMs, once?.secret);
      const { org, id: created_by } = principal;
      const row: SandboxRow = {
        id: uuidv7(),
        org,
        name: ask.name,
        status: 'running',
        ...columns,
        holders: writeHolders(peopleBehind(principal)),
        created_at: nowMs,
        created_by,
      };
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          { find: (id) => findWhole(tx, { org, id, secret }), make: () => insertSandbox(tx, principal, { row, ask }) },
        ),
      );
      const made = madeOf(outcome);
      return { ...toView(made.row, made.connections), token: formatToken(made.row, secret) };
    },
    async list(org, { limit, cursor }) {
      const rows = await store.read
        .selectFrom('sandboxes')
        .selectAll()
        .where('org', '=', org)
        .where('id', '>', readCursor(cursor, UUID_PATTERN) ?? '')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      const found = await findConnections(
        store.read,
        rows.map(({ id }) => id),
      );
      const connections = groupBy(found, ({ sandbox }) => sandbox);
      return toPage(rows, {
        limit,
        keyOf: ({ id }) => id,
        toItem: (row) => toView(row, connections.get(row.id) ?? []),
      });
    },
    async get(org, id) {
      const row = await findSandbox(store.read, org, id);
      return row === undefined ? undefined : view(row);
    },
    async change(principal, id, { status }) {
      const nowMs = clock.nowMs();
      const row = await store.write(async (tx) => {
        const before = await findSandbox(tx, principal.org, id);
        if (before === undefined || before.status === status) return before;
        await tx
          .updateTable('sandboxes')
          .set({ status })
          .where('id', '=', id)
          .where('status', '=', before.status)
          .execute();
        await audit(tx, principal, { event: 'sandbox_changed', id, nowMs, details: { status } });
        return { ...before, status };
      });
      return row === undefined ? undefined : view(row);
    },
    async replaceToken(principal, id, { expires_in }) {
      const nowMs = clock.nowMs();
      const { secret, columns } = makeToken(expires_in, nowMs);
      const row = await store.write(async (tx) => {
        const before = await findSandbox(tx, principal.org, id);
        if (before === undefined) return undefined;
        const holders = writeHolders(readHolders(before.holders), peopleBehind(principal));
        const change = { ...columns, holders };
        await tx.updateTable('sandboxes').set(change).where('id', '=', id).execute();
        const after = { ...before, ...change };
        await audit(tx, principal, { event: 'sandbox_token_replaced', id, nowMs, details: fingerprints(after) });
        return after;
      });
      return row === undefined ? undefined : { ...(await view(row)), token: formatToken(row, secret) };
    },
    async asPrincipal(org, id) {
      const row = await findSandbox(store.read, org, id);
      return row === undefined ? undefined : readPrincipal(store.read, row);
    },
    delete: (principal, id) =>
      store.write(async (tx) => {
        if ((await findSandbox(tx, principal.org, id)) === undefined) return false;
        const nowMs = clock.nowMs();
        await revokeGrants(tx, { sandbox: id }, { by: principal, nowMs });
        await tx.deleteFrom('sandbox_connections').where('sandbox', '=', id).execute();
        await tx.deleteFrom('sandboxes').where('id', '=', id).execute();
        await audit(tx, principal, { event: 'sandbox_deleted', id, nowMs });
        return true;
      }),
  };
}

/** @throws {MusterError} invalid_request */
function makeToken(expiresIn: string | undefined, nowMs: number, secret = randomSecret()) {
  const lifeMs = expiresIn === undefined ? USUAL_LIFE_MS : Math.ceil(parseDuration(expiresIn) ?? 0);
  if (lifeMs > MAX_LIFE_MS) throw new MusterError('invalid_request', 'expires_in may be a year at most');
  const columns = { token_id: randomTokenId(), secret_sha256: hashSecret(secret), expires_at: nowMs + lifeMs };
  return { columns, secret };
}

function formatToken({ token_id }: SandboxRow, secret: string): string {
  return `msb_${token_id}_${secret}`;
}

/** What was made with this secret; undefined when it is gone, or has another token by now. */
async function findWhole(
  tx: Queries,
  { org, id, secret }: { org: string; id: string; secret: string },
): Promise<Whole | undefined> {
  const row = await findSandbox(tx, org, id);
  if (row === undefined || !isSecret(secret, row.secret_sha256)) return undefined;
  return { row, connections: await findConnections(tx, [id]) };
}

/** Stores a sandbox with its connections and its audit row. */
async function insertSandbox(
  tx: Queries,
  principal: Principal,
  { row, ask }: { row: SandboxRow; ask: CreateSandbox },
): Promise<(Made<Whole> & Readonly<{ id: string }>) | Refusal> {
  if (await hasName(tx, row)) {
    return { refused: 'conflict', detail: `There is a sandbox ${row.name} already` };
  }
  const connections: NamedConnection[] = [];
  for (const connection of ask.connections) {
    const found = await integrationOf(tx, row.org, connection);
    if ('integration' in connection && found === undefined) {
      const detail = `There is no integration ${connection.integration}`;
      return { refused: 'unknown_integration', detail };
    }
    connections.push({
      ...{
        id: uuidv7(),
        sandbox: row.id,
        integration: found?.id ?? null,
        integration_name: found?.name ?? null,
        created_at: row.created_at,
      },
      target: 'target' in connection ? JSON.stringify(connection.target) : null,
      actions: JSON.stringify(connection.actions),
    });
  }
  await tx.insertInto('sandboxes').values(row).execute();
  const rows = connections.map(({ integration_name, ...connection }) => connection);
  await tx.insertInto('sandbox_connections').values(rows).execute();
  const details = { name: row.name, connections: connectionsDigest(rows), ...fingerprints(row) };
  await audit(tx, principal, { event: 'sandbox_created', id: row.id, nowMs: row.created_at, details });
  return { id: row.id, made: { row, connections } };
}

/** The integration that a connection names; undefined of one to nodes, and when there is none such. */
function integrationOf(tx: Queries, org: string, connection: CreateSandbox['connections'][number]) {
  return 'integration' in connection ? findIntegration(tx, org, connection.integration) : undefined;
}

async function hasName(tx: Queries, { org, name }: SandboxRow): Promise<boolean> {
  const other = await tx
    .selectFrom('sandboxes')
    .select('id')
    .where('org', '=', org)
    .where('name', '=', name)
    .executeTakeFirst();
  return other !== undefined;
}

function fingerprints({ expires_at, secret_sha256 }: SandboxRow) {
  return { expires_at, fingerprint: fingerprintOf(secret_sha256) };
}

function audit(
  tx: Queries,
  { org, id: actor }: Principal,
  { event, id, nowMs, details = {} }: { event: string; id: string; nowMs: number; details?: AuditEntry['details'] },
): Promise<void> {
  return appendAudit(tx, [{ atMs: nowMs, org, actor, event, subject: `sandbox:${id}`, details }]);
}

function toView(row: SandboxRow, connections: readonly NamedConnection[]): SandboxView {
  return {
    ...{ id: row.id, name: row.name, status: SandboxStatus.parse(row.status), created_by: row.created_by },
    connections: connections.map(toConnection),
    created_at: toTime(row.created_at),
    expires_at: row.expires_at === null ? null : toTime(row.expires_at),
  };
}

function toConnection(row: NamedConnection): SandboxView['connections'][number] {
  const { id, integration_name } = row;
  const connection = readConnection(row);
  const actions = [...connection.actions];
  if ('target' in connection) return { id, target: connection.target, actions };
  return { id, integration: integration_name, integration_id: connection.integration, actions };
}
