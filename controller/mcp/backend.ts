import { sha256Hex } from '../../protocol/envelope.js';
import type { ActionView, CreateInvocation, InvocationAnswer, NodeView } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/schemas.js';
import type { Page, PageRequest, Principal, Services } from '../services.js';

/** How long to wait for an end, and what ends the wait. */
export type Waiting = Readonly<{ seconds: number; signal: AbortSignal }>;

/** What the tools do their work with: the services of a controller, or its REST API. Each call acts for one caller. */
export type McpBackend = Readonly<{
  nodes: (page: PageRequest) => Promise<Page<NodeView>>;
  actions: (
    narrow: Readonly<{ node?: string | undefined; name?: string | undefined }>,
  ) => Promise<readonly ActionView[]>;
  invoke: (
    ask: CreateInvocation,
    how: Readonly<{ idempotencyKey?: string | undefined; wait: Waiting }>,
  ) => Promise<InvocationAnswer>;
  /** Undefined when there is none such. */
  get: (id: string, wait: Waiting) => Promise<InvocationAnswer | undefined>;
  cancel: (id: string, reason: string | undefined) => Promise<InvocationAnswer | undefined>;
}>;

/** So many executions are read for an answer. */
const MAX_EXECUTIONS = 20;

/** The services, as this caller sees them. */
export function createServiceBackend({ seenBy }: Pick<Services, 'seenBy'>, principal: Principal): McpBackend {
  const { org } = principal;
  const { nodes, invocations } = seenBy(principal);

  async function answer(id: string, { seconds, signal }: Waiting): Promise<InvocationAnswer | undefined> {
    const before = await invocations.get(org, id);
    if (before === undefined) return undefined;
    const isToWait = seconds > 0 && before.status !== 'pending' && !ENDED_STATUSES.has(before.status);
    const latest = isToWait ? await invocations.whenDone(org, id, { ms: seconds * 1000, signal }) : before;
    const page = await invocations.executions(org, id, { limit: MAX_EXECUTIONS });
    return { invocation: latest ?? before, executions: [...(page?.items ?? [])] };
  }

  return {
    nodes: (page) => nodes.list(org, page),
    async actions({ node, name }) {
      const offered = await nodes.actions(org, node);
      return name === undefined ? offered : offered.filter((action) => action.name === name);
    },
    async invoke(ask, { idempotencyKey, wait }) {
      const bodySha256 = sha256Hex(JSON.stringify(ask));
      const { invocation } = await invocations.create(principal, ask, { idempotencyKey, bodySha256 });
      return (await answer(invocation.id, wait)) ?? { invocation };
    },
    get: answer,
    async cancel(id, reason) {
      const invocation = await invocations.cancel(principal, id, { reason });
      return invocation === undefined ? undefined : { invocation };
    },
  };
}
