import type { InvocationEvents } from '../events/invocation-events.js';
import type { InvocationView } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import { readParameters } from '../http/target-schemas.js';
import type { InvocationService } from '../services.js';
import type { ExecutionRow } from '../store/executions.js';
import { findIntegrationResult } from '../store/integration-results.js';
import { countExecutions, findInvocationStatus, type InvocationRow, noExecutions } from '../store/invocations.js';
import { listOutputs } from '../store/outputs.js';
import { findResult } from '../store/results.js';
import type { Store } from '../store/store.js';
import { createApprovals } from './approvals.js';
import type { ApprovalDeps } from './approve.js';
import { type CancelDeps, createCancel } from './cancel.js';
import { createCreate } from './create.js';
import { createLists } from './lists.js';
import { assembleOutput } from './output.js';
import { createPreview } from './preview.js';
import { readStoredResult, toExecutionView, toInvocationView } from './views.js';

/** Asks, and what became of them. Reads see what is committed. */
export function createInvocationService(deps: ApprovalDeps & CancelDeps): InvocationService {
  const { store, events } = deps;
  const get: InvocationService['get'] = (org, id) => findInvocation(store, org, id);
  return {
    create: createCreate(deps),
    preview: createPreview(deps),
    get,
    async parametersOf(org, id) {
      const row = await findRow(store, org, id);
      return row && readParameters(row.parameters);
    },
    async resultOf(org, id) {
      if ((await findInvocationStatus(store.read, org, id)) === undefined) return undefined;
      return findIntegrationResult(store.read, id);
    },
    cancel: createCancel(deps, get),
    ...createApprovals(deps),
    ...createLists(deps),
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
      const result = stored === undefined ? undefined : readStoredResult(stored);
      const pieces = await listOutputs(store.read, key, stream);
      return assembleOutput(stream, { pieces, result, isMasked: typeof stored?.sealed === 'string' });
    },
    async whenDone(org, id, { ms, signal }) {
      const end = waitForEnd(events, id, { ms, signal });
      try {
        const status = await findInvocationStatus(store.read, org, id);
        if (status !== undefined && !ENDED_STATUSES.has(status)) await end.over;
        return status === undefined ? undefined : await get(org, id);
      } finally {
        end.release();
      }
    },
  };
}

/** `over` resolves at the end of the invocation, when the time is over, or when the signal fires. */
function waitForEnd(
  events: InvocationEvents,
  id: string,
  { ms, signal }: { ms: number; signal?: AbortSignal | undefined },
): { over: Promise<void>; release: () => void } {
  let release = (): void => {};
  const over = new Promise<void>((resolve) => {
    const onAbort = (): void => resolve();
    const timer = setTimeout(resolve, ms);
    const unsubscribe = events.onEnd(id, resolve);
    if (signal?.aborted) resolve();
    signal?.addEventListener('abort', onAbort);
    release = () => {
      clearTimeout(timer);
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
    };
  });
  return { over, release };
}

function findRow({ read }: Store, org: string, id: string): Promise<InvocationRow | undefined> {
  return read.selectFrom('invocations').selectAll().where('id', '=', id).where('org', '=', org).executeTakeFirst();
}

async function findInvocation(store: Store, org: string, id: string): Promise<InvocationView | undefined> {
  const row = await findRow(store, org, id);
  if (row === undefined) return undefined;
  const counts = row.integration === null ? await countExecutions(store.read, [id]) : undefined; // others have none
  return toInvocationView(row, counts?.get(id) ?? noExecutions());
}

async function findExecutionRow(
  store: Store,
  { org, id, node }: { org: string; id: string; node: string },
): Promise<ExecutionRow | undefined> {
  if ((await findInvocationStatus(store.read, org, id)) === undefined) return undefined;
  return store.read
    .selectFrom('executions')
    .selectAll()
    .where('invocation_id', '=', id)
    .where('node', '=', node)
    .executeTakeFirst();
}
