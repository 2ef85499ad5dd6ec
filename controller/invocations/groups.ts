import type { ExecutionGroupView, ExecutionsQuery, GroupBy } from '../http/list-schemas.js';
import { ExecutionStatus, type ExecutionView } from '../http/schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { Page } from '../services.js';
import type { Queries } from '../store/database.js';
import { findExecutionOn } from '../store/executions.js';
import { findResult } from '../store/results.js';
import { toExecutionView } from './views.js';

/** A group names this many nodes. */
const MAX_NAMED = 8;

/** A sample shows this much of each stream; a multiple of 4, so that base64 stays whole. */
const MAX_SAMPLE = 4096;

/** `{count}/{node}` of the last group of a page: no two groups have the same first node. */
const CURSOR = /^(\d{1,9})\/([\w-]{1,63})$/;

type Group = Awaited<ReturnType<typeof readGroups>>[number];

/**
 * Like executions of an invocation, the largest group first. The database groups them by columns, so that of 10,000
 * results none is read but one sample for each group, one after another.
 */
export async function groupExecutions(
  read: Queries,
  id: string,
  query: ExecutionsQuery & Readonly<{ group_by: GroupBy }>,
): Promise<Page<ExecutionGroupView>> {
  const groups = await readGroups(read, id, query);
  const views = new Map<Group, ExecutionGroupView>();
  for (const group of groups.slice(0, query.limit)) views.set(group, await toView(read, id, { group, query }));
  const page = toPage(groups, {
    limit: query.limit,
    keyOf: ({ count, first }) => `${Number(count)}/${first}`,
    toItem: (group) => views.get(group),
  });
  return { ...page, items: page.items.flatMap((view) => view ?? []) };
}

/** One more than the limit. */
function readGroups(
  read: Queries,
  id: string,
  { limit, cursor, status, group_by }: Parameters<typeof groupExecutions>[2],
) {
  const [, count, node] = CURSOR.exec(readCursor(cursor, CURSOR) ?? '') ?? [];
  let query = executionsOf(read, id)
    .select((eb) => [
      'executions.status as status',
      'executions.reason as reason',
      eb.fn.coalesce('results.error_code', 'executions.error_code').as('error_code'),
      'results.exit_code as exit_code',
      (group_by === 'outcome' ? eb.val<string | null>(null) : eb.ref('results.output_sha256')).as('output_sha256'),
      eb.fn.countAll<number>().as('count'),
      eb.fn.min<string>('executions.node').as('first'),
    ])
    .groupBy((eb) => [
      'executions.status',
      'executions.reason',
      eb.fn.coalesce('results.error_code', 'executions.error_code'),
      'results.exit_code',
      ...(group_by === 'outcome' ? [] : [eb.ref('results.output_sha256')]),
    ])
    .orderBy((eb) => eb.fn.countAll(), 'desc')
    .orderBy((eb) => eb.fn.min('executions.node'))
    .limit(limit + 1);
  if (status !== undefined) query = query.where('executions.status', 'in', status);
  if (count === undefined || node === undefined) return query.execute();
  return query
    .having(({ eb, and, or, fn }) =>
      or([
        eb(fn.countAll(), '<', Number(count)),
        and([eb(fn.countAll(), '=', Number(count)), eb(fn.min('executions.node'), '>', node)]),
      ]),
    )
    .execute();
}

async function toView(
  read: Queries,
  id: string,
  { group, query }: { group: Group; query: Parameters<typeof groupExecutions>[2] },
): Promise<ExecutionGroupView> {
  const { reason, exit_code, error_code, output_sha256, first } = group;
  const count = Number(group.count);
  const row = await findExecutionOn(read, id, first);
  const stored = await findResult(read, { executionId: row.execution_id, node: first });
  return {
    ...{ status: ExecutionStatus.parse(group.status), reason, exit_code, error_code, output_sha256, count },
    nodes: count === 1 ? [first] : await firstNodes(read, id, { group, query }),
    sample: toSample(toExecutionView(row, stored)),
  };
}

/** The search begins at the first one, so that it is short when like nodes have like names. */
async function firstNodes(
  read: Queries,
  id: string,
  {
    group: { status, reason, exit_code, error_code, output_sha256, first },
    query: { group_by },
  }: { group: Group; query: Parameters<typeof groupExecutions>[2] },
): Promise<string[]> {
  let query = executionsOf(read, id)
    .select('executions.node as node')
    .where('executions.node', '>=', first)
    .where('executions.status', '=', status)
    .where('executions.reason', 'is not distinct from', reason)
    .where('results.exit_code', 'is not distinct from', exit_code)
    .where(({ eb, fn }) =>
      eb(fn.coalesce('results.error_code', 'executions.error_code'), 'is not distinct from', error_code),
    );
  if (group_by === 'outcome,output')
    query = query.where('results.output_sha256', 'is not distinct from', output_sha256);
  const rows = await query.orderBy('executions.node').limit(MAX_NAMED).execute();
  return rows.map(({ node }) => node);
}

function executionsOf(read: Queries, id: string) {
  return read
    .selectFrom('executions')
    .leftJoin('results', (join) =>
      join.onRef('results.execution_id', '=', 'executions.execution_id').onRef('results.node', '=', 'executions.node'),
    )
    .where('executions.invocation_id', '=', id);
}

function toSample(view: ExecutionView): ExecutionView {
  return { ...view, stdout: clip(view.stdout), stderr: clip(view.stderr) };
}

/** No half of a character is left at the end. */
function clip(text: string | null): string | null {
  if (text === null || text.length <= MAX_SAMPLE) return text;
  return text.slice(0, MAX_SAMPLE).replace(/[\ud800-\udbff]$/, '');
}
