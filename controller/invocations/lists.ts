import { ID_PATTERN, UUID_PATTERN } from '../../protocol/ids.js';
import { readCursor, toPage } from '../paging.js';
import type { InvocationService } from '../services.js';
import type { Queries } from '../store/database.js';
import type { ExecutionRow } from '../store/executions.js';
import { findInvocations } from '../store/invocation-lists.js';
import { countExecutions, findInvocationStatus, type InvocationRow, noExecutions } from '../store/invocations.js';
import { listResults } from '../store/results.js';
import { groupExecutions } from './groups.js';
import { toExecutionView, toInvocationView } from './views.js';

/** Reads what there is, page by page. */
export function createLists({
  store,
}: Readonly<{ store: { read: Queries } }>): Pick<InvocationService, 'list' | 'executions' | 'executionGroups'> {
  const { read } = store;
  return {
    async list(org, { limit, cursor, ...narrow }) {
      const before = readCursor(cursor, UUID_PATTERN);
      const rows = await findInvocations(read, { org, before, limit: limit + 1, ...narrow });
      const ids = rows.map(({ id }) => id);
      const counts = await countExecutions(read, ids);
      const toItem = (row: InvocationRow) => toInvocationView(row, counts.get(row.id) ?? noExecutions());
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem });
    },
    async executions(org, id, { limit, cursor, status }) {
      const after = readCursor(cursor, ID_PATTERN) ?? '';
      if ((await findInvocationStatus(read, org, id)) === undefined) return undefined;
      let query = read.selectFrom('executions').selectAll().where('invocation_id', '=', id).where('node', '>', after);
      if (status !== undefined) query = query.where('status', 'in', status);
      const rows = await query
        .orderBy('node')
        .limit(limit + 1)
        .execute();
      const results = await listResults(read, rows.slice(0, limit));
      const toItem = (row: ExecutionRow) => toExecutionView(row, results.get(row.node));
      return toPage(rows, { limit, keyOf: ({ node }) => node, toItem });
    },
    async executionGroups(org, id, query) {
      if ((await findInvocationStatus(read, org, id)) === undefined) return undefined;
      return groupExecutions(read, id, query);
    },
  };
}
