import { MusterError } from '../../protocol/errors.js';
import { UUID_PATTERN } from '../../protocol/ids.js';
import type { Clock } from '../../runtime/clock.js';
import { readCursor, toPage } from '../paging.js';
import type { Queries } from '../store/database.js';
import { madeOf, makeOnce } from '../store/made-once.js';
import type { Store } from '../store/store.js';
import type { GrantService } from './contract.js';
import { type CoverageDeps, coverageOf } from './coverage.js';
import { insertGrant, newGrant, refusalOfGrant } from './make.js';
import { revokeGrants } from './revoke.js';
import { findGrant, type GrantRow, type NamedGrant, toGrantView } from './rows.js';

/** Grants: made alone, listed and revoked. How they are used is in match.ts. */
export function createGrants(deps: CoverageDeps & Readonly<{ store: Store; clock: Clock }>): GrantService {
  const { store, clock } = deps;
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
              const coverage = await coverageOf(deps, tx, { org, ask });
              if ('refused' in coverage) return coverage;
              const row: GrantRow = { ...terms, ...coverage };
              const refusal = await refusalOfGrant(tx, row);
              if (refusal !== undefined) return refusal;
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
