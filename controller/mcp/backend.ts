import { sha256Hex } from '../../protocol/envelope.js';
import { MusterError } from '../../protocol/errors.js';
import { splitAsk } from '../http/asks.js';
import type { IntegrationAction } from '../http/integration-schemas.js';
import type { ActionView, AnyAsk, InvocationAnswer, NodeView } from '../http/schemas.js';
import { ENDED_STATUSES } from '../http/statuses.js';
import type { Page, PageRequest, Principal, Services } from '../services.js';

/** How long to wait for an end, and what ends the wait. */
export type Waiting = Readonly<{ seconds: number; signal: AbortSignal }>;

/** A system outside of the fleet, and what may be asked of it. */
export type OfferedIntegration = Readonly<{ name: string; actions: readonly IntegrationAction[] }>;

/** What the tools do their work with: the services of a controller, or its REST API. Each call acts for one caller. */
export type McpBackend = Readonly<{
  nodes: (page: PageRequest) => Promise<Page<NodeView>>;
  actions: (
    narrow: Readonly<{ node?: string | undefined; name?: string | undefined }>,
  ) => Promise<readonly ActionView[]>;
  integrations: () => Promise<readonly OfferedIntegration[]>;
  invoke: (
    ask: AnyAsk,
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
  const { nodes, invocations, integrations } = seenBy(principal);

  async function answer(id: string, { seconds, signal }: Waiting): Promise<InvocationAnswer | undefined> {
    const before = await invocations.get(org, id);
    if (before === undefined) return undefined;
    const isToWait = seconds > 0 && before.status !== 'pending' && !ENDED_STATUSES.has(before.status);
    const latest = isToWait ? await invocations.whenDone(org, id, { ms: seconds * 1000, signal }) : before;
    const page = await invocations.executions(org, id, { limit: MAX_EXECUTIONS });
    const result = await invocations.resultOf(org, id);
    return { invocation: latest ?? before, executions: [...(page?.items ?? [])], ...result };
  }

  return {
    nodes: (page) => nodes.list(org, page),
    async actions({ node, name }) {
      const offered = await nodes.actions(org, node);
      return name === undefined ? offered : offered.filter((action) => action.name === name);
    },
    integrations: () => integrations.available(org),
    async invoke(ask, { idempotencyKey, wait }) {
      const request = { idempotencyKey, bodySha256: sha256Hex(JSON.stringify(ask)) };
      const asked = splitAsk(ask);
      const { invocation } =
        asked.kind === 'nodes'
          ? await invocations.create(principal, asked.ask, request)
          : await integrations.invoke(principal, asked.ask, request);
      if (invocation.status === 'denied') {
        throw new MusterError('denied_by_policy', invocation.error ?? 'The policy denies this action');
      }
      return (await answer(invocation.id, wait)) ?? { invocation };
    },
    get: answer,
    async cancel(id, reason) {
      const invocation = await invocations.cancel(principal, id, { reason });
      return invocation === undefined ? undefined : { invocation };
    },
  };
}
