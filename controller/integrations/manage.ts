import { uuidv7 } from 'uuidv7';
import { isMusterError, MusterError } from '../../protocol/errors.js';
import { ID_PATTERN } from '../../protocol/ids.js';
import { isLoopback } from '../../runtime/loopback.js';
import type { CreateIntegration } from '../http/integration-schemas.js';
import { fingerprintOf } from '../identity/secrets.js';
import { readCursor, toPage } from '../paging.js';
import type { Policies } from '../policy/policies.js';
import type { Principal } from '../services.js';
import { type AuditEntry, appendAudit } from '../store/audit.js';
import {
  deleteIntegration,
  findIntegration,
  findIntegrationById,
  type IntegrationRow,
  insertIntegration,
  listIntegrations,
  setIntegrationStatus,
} from '../store/integrations.js';
import type { Store } from '../store/store.js';
import { type CallDeps, callIntegration } from './call.js';
import { contextOf, MAX_INTEGRATIONS } from './context.js';
import type { IntegrationService } from './integration-service.js';
import { credentialSource } from './known-secrets.js';
import { recordOf } from './providers/list.js';
import { toIntegrationView } from './views.js';

export type ManageDeps = CallDeps &
  Readonly<{ store: Store; policies: Policies; timeoutMs: number; allowHttp: boolean }>;

/** Looks after the integrations of an org. */
export function createManage(deps: ManageDeps): Omit<IntegrationService, 'invoke' | 'preview'> {
  const { store, policies, clock } = deps;
  const viewsIn = async (org: string) => {
    const { document: policy } = await policies.current(org);
    return (row: IntegrationRow) => toIntegrationView(row, { ...deps, policy });
  };
  return {
    async list(org, { limit, cursor }) {
      const after = readCursor(cursor, ID_PATTERN);
      const rows = await listIntegrations(store.read, { org, after, limit: limit + 1 });
      return toPage(rows, { limit, keyOf: ({ name }) => name, toItem: await viewsIn(org) });
    },
    async get(org, name) {
      const row = await findIntegration(store.read, org, name);
      return row && (await viewsIn(org))(row);
    },
    async available(org) {
      const rows = await listIntegrations(store.read, { org, limit: MAX_INTEGRATIONS, status: 'active' });
      return rows.filter(({ adapter }) => deps.adapters.has(adapter)).map(await viewsIn(org));
    },
    async add(principal, ask) {
      const row = toRow(deps, principal, ask);
      const source = credentialSource(row.id);
      deps.secrets.register(source, [recordOf(ask.credential).secret]);
      const refused = await store.write((tx) => storeNew(tx, row));
      if (refused !== undefined) deps.secrets.register(source, []); // it would stay for as long as the controller runs
      refuse(refused);
      return (await viewsIn(principal.org))(row);
    },
    async change(principal, name, { status }) {
      const row = await findIntegration(store.read, principal.org, name);
      if (row === undefined) return undefined;
      const entry = entryOf(row, { principal, event: 'integration_changed', nowMs: clock.nowMs() });
      const changed = await store.write(async (tx) => {
        const isNew = await setIntegrationStatus(tx, row.id, status);
        if (isNew) await appendAudit(tx, [{ ...entry, details: { status } }]);
        return findIntegrationById(tx, row.org, row.id); // somebody may have removed it meanwhile
      });
      return changed && (await viewsIn(principal.org))(changed);
    },
    async remove(principal, name) {
      const row = await findIntegration(store.read, principal.org, name);
      if (row === undefined) return false;
      const entry = entryOf(row, { principal, event: 'integration_removed', nowMs: clock.nowMs() });
      return store.write(async (tx) => {
        const isDone = await deleteIntegration(tx, row.id);
        if (isDone) await appendAudit(tx, [entry]);
        return isDone;
      });
    },
    async test(principal, name) {
      const row = await findIntegration(store.read, principal.org, name);
      if (row === undefined) return undefined;
      const startedMs = clock.monotonicMs();
      const fault = await findFault(deps, row);
      const entry = entryOf(row, { principal, event: 'integration_tested', nowMs: clock.nowMs() });
      await store.write((tx) => appendAudit(tx, [{ ...entry, details: { ok: fault === undefined } }]));
      const duration_ms = Math.round(clock.monotonicMs() - startedMs);
      return { ok: fault === undefined, detail: fault ?? 'It answers, and takes the credential', duration_ms };
    },
  };
}

/** @throws {MusterError} invalid_request, unsafe_key */
function toRow({ adapters, vault, clock, allowHttp }: ManageDeps, { org, id: by }: Principal, ask: CreateIntegration) {
  const adapter = adapters.get(ask.adapter);
  if (adapter === undefined) {
    throw new MusterError(
      'invalid_request',
      `adapter: there is none of that name, but ${[...adapters.keys()].join(', ')}`,
    );
  }
  const { secret, settings } = recordOf(ask.credential);
  const base_url = (ask.base_url ?? adapter.baseUrl).replace(/\/+$/, '');
  for (const url of [base_url, settings.base_url]) if (url !== undefined) refusePlain(url, allowHttp);
  const row = {
    ...{ id: uuidv7(), org, name: ask.name ?? ask.adapter, adapter: ask.adapter, base_url },
    provider: ask.credential.provider,
    settings: JSON.stringify(settings),
    status: 'active',
    created_at: clock.nowMs(),
    created_by: by,
  };
  return { ...row, sealed: vault.seal(secret, contextOf(row)) };
}

/** A credential does not cross a network in the clear. @throws {MusterError} invalid_request */
function refusePlain(url: string, allowHttp: boolean): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || allowHttp || isLoopback(hostname)) return;
  throw new MusterError(
    'invalid_request',
    'base_url: must begin with https, since the credential would cross the network in the clear; see controller.integrations_allow_http',
  );
}

type Refused = Readonly<{ code: 'conflict' | 'invalid_request'; detail: string }>;

async function storeNew(
  tx: Parameters<Parameters<Store['write']>[0]>[0],
  row: IntegrationRow,
): Promise<Refused | undefined> {
  const rows = await listIntegrations(tx, { org: row.org, limit: MAX_INTEGRATIONS });
  if (rows.length >= MAX_INTEGRATIONS) {
    return { code: 'conflict', detail: `There are ${MAX_INTEGRATIONS} integrations already` };
  }
  const foreign = rows.find(({ sealed }) => keyIdOf(sealed) !== keyIdOf(row.sealed));
  if (foreign !== undefined) {
    const detail = 'The other credentials were sealed under another key: copy integrations.key of the first controller';
    return { code: 'conflict', detail };
  }
  if (!(await insertIntegration(tx, row))) return { code: 'conflict', detail: `The name ${row.name} is taken` };
  const { name, adapter, base_url, provider, settings } = row;
  const details = { name, adapter, base_url, provider, settings, fingerprint: fingerprintOf(row.sealed) };
  const principal = { id: row.created_by, org: row.org };
  const entry = entryOf(row, { principal, event: 'integration_added', nowMs: row.created_at });
  await appendAudit(tx, [{ ...entry, details }]);
  return undefined;
}

/** `v1.KEY.…` → KEY. */
function keyIdOf(sealed: string): string | undefined {
  return sealed.split('.', 2)[1];
}

function refuse(refused: Refused | undefined): void {
  if (refused !== undefined) throw new MusterError(refused.code, refused.detail);
}

function entryOf(
  { id, name }: Pick<IntegrationRow, 'id' | 'name'>,
  { principal, event, nowMs }: { principal: Pick<Principal, 'id' | 'org'>; event: string; nowMs: number },
): AuditEntry {
  const { org, id: actor } = principal;
  return { atMs: nowMs, org, actor, event, subject: `integration:${id}`, details: { name } };
}

/** What is wrong with address or credential; undefined when nothing is. */
async function findFault(deps: ManageDeps, row: IntegrationRow): Promise<string | undefined> {
  deps.tokens.drop(row.id); // whether the credential still gives one is part of the question
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), deps.timeoutMs);
  try {
    await callIntegration(deps, row, { signal: stop.signal, work: (adapter, via) => adapter.check(via) });
    return undefined;
  } catch (error) {
    if (isMusterError(error)) return error.message;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
