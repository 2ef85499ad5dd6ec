import type { InvocationEvents } from '../events/invocation-events.js';
import type { InvocationStatus, InvocationView } from '../http/schemas.js';
import { readCursor, toPage } from '../paging.js';
import type { InvocationService } from '../services.js';
import type { ExecutionRow } from '../store/executions.js';
import { countExecutions, noExecutions } from '../store/invocations.js';
import { listOutputs } from '../store/outputs.js';
import { findResult, listResults } from '../store/results.js';
import type { Store } from '../store/store.js';
import { type CreateDeps, createCreate } from './create.js';
import { assembleOutput } from './output.js';
import { readStoredResult, toExecutionView, toInvocationView } from './views.js';

const ENDS: ReadonlySet<InvocationStatus> = new Set(['completed', 'failed', 'denied', 'expired', 'cancelled']);

/** Asks, and what became of them. Reads see what is committed. */
export function createInvocationService(deps: CreateDeps & Readonly<{ events: InvocationEvents }>): InvocationService {
  const { store, events } = deps;
  const get: InvocationService['get'] = (org, id) => findInvocation(store, org, id);
  return {
    create: createCreate(deps),
    get,
    async list(org, { limit, cursor }) {
      const after = readCursor(cursor);
      let query = store.read.selectFrom('invocations').selectAll().where('org', '=', org);
      if (after !== undefined) query = query.where('id', '<', after);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const ids = rows.map(({ id }) => id);
      const counts = await countExecutions(store.read, ids);
      const toItem = (row: (typeof rows)[number]) => toInvocationView(row, counts.get(row.id) ?? noExecutions());
      return toPage(rows, { limit, keyOf: ({ id }) => id, toItem });
    },
    async executions(org, id, { limit, cursor }) {
      const after = readCursor(cursor) ?? '';
      if (!(await exists(store, org, id))) return undefined;
      const rows = await store.read
        .selectFrom('executions')
        .selectAll()
        .where('invocation_id', '=', id)
        .where('node', '>', after)
        .orderBy('node')
        .limit(limit + 1)
        .execute();
      const results = await listResults(store.read, rows.slice(0, limit));
      const toItem = (row: ExecutionRow) => toExecutionView(row, results.get(row.node));
      return toPage(rows, { limit, keyOf: ({ node }) => node, toItem });
    },
    async execution(org, id, node) {
      const row = await findExecutionRow(store, { org, id, node });
      if (row === undefined) return undefined;
      return toExecutionView(row, await findResult(store.read, { executionId: row.execution_id, node }));
    },
    async outputOf(org, id, { node, stream }) {
      const row = await findExecutionRow(store, { org, id, node });
      if (row === undefined) return undefined;
      const key = { executionId: row.execution_id, node };
      const stored = await findResult(store.read, key);
      const result = stored === undefined ? undefined : readStoredResult(stored.jws);
      return assembleOutput(stream, { pieces: await listOutputs(store.read, key, stream), result });
    },
    async whenDone(org, id, { ms, signal }) {
      const ended = waitForEnd(events, id, { ms, signal });
      try {
        const now = await get(org, id);
        if (now === undefined || ENDS.has(now.status) || !(await ended.happened)) return now;
        return await get(org, id);
      } finally {
        ended.release();
      }
    },
  };
}

/** `happened` is false when the time was over or the signal fired first. */
function waitForEnd(
  events: InvocationEvents,
  id: string,
  { ms, signal }: { ms: number; signal?: AbortSignal | undefined },
): { happened: Promise<boolean>; release: () => void } {
  let release = (): void => {};
  const happened = new Promise<boolean>((resolve) => {
    const onAbort = (): void => resolve(false);
    const timer = setTimeout(onAbort, ms);
    const unsubscribe = events.onEnd(id, () => resolve(true));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort);
    release = () => {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
    };
  });
  return { happened, release };
}

async function findInvocation({ read }: Store, org: string, id: string): Promise<InvocationView | undefined> {
  const row = await read
    .selectFrom('invocations')
    .selectAll()
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const counts = await countExecutions(read, [id]);
  return toInvocationView(row, counts.get(id) ?? noExecutions());
}

async function exists({ read }: Store, org: string, id: string): Promise<boolean> {
  const row = await read
    .selectFrom('invocations')
    .select('id')
    .where('id', '=', id)
    .where('org', '=', org)
    .executeTakeFirst();
  return row !== undefined;
}

async function findExecutionRow(
  store: Store,
  { org, id, node }: { org: string; id: string; node: string },
): Promise<ExecutionRow | undefined> {
  if (!(await exists(store, org, id))) return undefined;
  return store.read
    .selectFrom('executions')
    .selectAll()
    .where('invocation_id', '=', id)
    .where('node', '=', node)
    .executeTakeFirst();
}
