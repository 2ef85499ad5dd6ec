import { ID_PATTERN, UUID_PATTERN } from '../../protocol/ids.js';
import { MAX_PAGE_OCTETS, readCursor, toPage } from '../paging.js';
import type { InvocationService } from '../services.js';
import type { Queries } from '../store/database.js';
import type { ExecutionRow } from '../store/executions.js';
import { findInvocations } from '../store/invocation-lists.js';
import { countExecutions, findInvocationStatus, type InvocationRow, noExecutions } from '../store/invocations.js';
import { listResults, type ResultRow } from '../store/results.js';
import { readFittingRows } from './fitting-rows.js';
import { groupExecutions } from './groups.js';
import { toExecutionView, toInvocationView } from './views.js';

/** So many results are read before that is looked at. */
const RESULTS_AT_ONCE = 40;

/** Reads what there is, page by page. */
export function createLists({
  store,
}: Readonly<{ store: { read: Queries } }>): Pick<InvocationService, 'list' | 'executions' | 'executionGroups'> {
  const { read } = store;
  return {
    async list(org, { limit, cursor, ...narrow }) {
      const before = readCursor(cursor, UUID_PATTERN);
      const { rows, shown } = await readFittingRows(limit, (last, count) =>
        findInvocations(read, { org, before: last?.id ?? before, limit: count, ...narrow }),
      );
      const ids = rows.slice(0, shown).map(({ id }) => id);
      const counts = await countExecutions(read, ids);
      const toItem = (row: InvocationRow) => toInvocationView(row, counts.get(row.id) ?? noExecutions());
      return toPage(rows, { limit: shown, keyOf: ({ id }) => id, toItem });
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
      const { results, shown } = await readResults(read, rows.slice(0, limit));
      const toItem = (row: ExecutionRow) => toExecutionView(row, results.get(row.node));
      return toPage(rows, { limit: shown, keyOf: ({ node }) => node, toItem });
    },
    async executionGroups(org, id, query) {
      if ((await findInvocationStatus(read, org, id)) === undefined) return undefined;
      return groupExecutions(read, id, query);
    },
  };
}

/** The results of these executions, by node, and of how many executions they are. */
async function readResults(
  read: Queries,
  rows: readonly ExecutionRow[],
): Promise<{ results: ReadonlyMap<string, ResultRow>; shown: number }> {
  const results = new Map<string, ResultRow>();
  let octets = 0;
  for (let end = RESULTS_AT_ONCE; ; end += RESULTS_AT_ONCE) {
    for (const [node, result] of await listResults(read, rows.slice(end - RESULTS_AT_ONCE, end))) {
      results.set(node, result);
      octets += result.jws.length;
    }
    if (end >= rows.length || octets > MAX_PAGE_OCTETS) return { results, shown: Math.min(end, rows.length) };
  }
}
