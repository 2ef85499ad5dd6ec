import { MusterError } from '../../protocol/errors.js';
import { UUID_PATTERN } from '../../protocol/ids.js';
import type { Clock } from '../../runtime/clock.js';
import type { CreateGrant } from '../http/grant-schemas.js';
import { readCursor, toPage } from '../paging.js';
import { findSandbox } from '../sandboxes/rows.js';
import type { Queries } from '../store/database.js';
import { findIntegration } from '../store/integrations.js';
import { madeOf, makeOnce, type Refusal } from '../store/made-once.js';
import type { Store } from '../store/store.js';
import type { GrantService } from './contract.js';
import { type Coverage, hasRoom, insertGrant, NO_ROOM, newGrant } from './make.js';
import { revokeGrants } from './revoke.js';
import { ANY_INTEGRATION, findGrant, type GrantRow, type NamedGrant, toGrantView } from './rows.js';

/** Grants: made alone, listed and revoked. How they are used is in match.ts. */
export function createGrants({ store, clock }: { store: Store; clock: Clock }): GrantService {
  const get: GrantService['get'] = async (org, id) => {
    const row = await selectNamed(store.read, org).where('grants.id', '=', id).executeTakeFirst();
    return row === undefined ? undefined : toGrantView(row, clock.nowMs());
  };
  return {
    get,
    async create(principal, ask, once) {
      const nowMs = clock.nowMs();
      const { max_calls, expires_in } = ask;
      const { org } = principal;
      const terms = newGrant(principal, { max_calls, expires_in, invocation: null, nowMs });
      const outcome = await store.write((tx) =>
        makeOnce(
          tx,
          { by: principal, once, nowMs },
          {
            find: (id) => findGrant(tx, org, id),
            async make() {
              const coverage = await coverageOf(tx, org, ask);
              if ('refused' in coverage) return coverage;
              if (!(await hasRoom(tx, org, nowMs))) return { refused: 'conflict', detail: NO_ROOM };
              const row: GrantRow = { ...terms, ...coverage };
              await insertGrant(tx, row);
              return { id: row.id, made: row };
            },
          },
        ),
      );
      const view = await get(org, madeOf(outcome).id);
      if (view === undefined) throw new MusterError('not_found', 'There is no such grant');
      return view;
    },
    async list(org, { limit, cursor }) {
      const before = readCursor(cursor, UUID_PATTERN);
      let query = selectNamed(store.read, org);
      if (before !== undefined) query = query.where('grants.id', '<', before);
      const rows = await query
        .orderBy('grants.id', 'desc')
        .limit(limit + 1)
        .execute();
      const nowMs = clock.nowMs();
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem: (row) => toGrantView(row, nowMs) });
    },
    async ofInvocation(org, invocation) {
      const row = await selectNamed(store.read, org).where('grants.invocation_id', '=', invocation).executeTakeFirst();
      return row === undefined ? undefined : toGrantView(row, clock.nowMs());
    },
    async revoke(principal, id) {
      await store.write((tx) => revokeGrants(tx, { id }, { by: principal, nowMs: clock.nowMs() }));
      return get(principal.org, id);
    },
  };
}

function selectNamed(queries: Queries, org: string) {
  return queries
    .selectFrom('grants')
    .leftJoin('integrations', 'integrations.id', 'grants.integration')
    .selectAll('grants')
    .select('integrations.name as integration_name')
    .where('grants.org', '=', org)
    .$castTo<NamedGrant>();
}

/** What an ask for a grant names, by the ids that nothing else gets after it. */
async function coverageOf(
  queries: Queries,
  org: string,
  { sandbox, target, actions }: CreateGrant,
): Promise<Coverage | Refusal> {
  if (sandbox !== undefined && (await findSandbox(queries, org, sandbox)) === undefined) {
    return { refused: 'not_found', detail: `There is no sandbox ${sandbox}` };
  }
  const named = { sandbox: sandbox ?? null, actions: JSON.stringify(actions) };
  if (!('integration' in target)) return { ...named, target: JSON.stringify(target), integration: null };
  const { integration: name } = target;
  if (name === ANY_INTEGRATION) return { ...named, target: null, integration: ANY_INTEGRATION };
  const integration = await findIntegration(queries, org, name);
  if (integration === undefined) return { refused: 'unknown_integration', detail: `There is no integration ${name}` };
  return { ...named, target: null, integration: integration.id };
}
