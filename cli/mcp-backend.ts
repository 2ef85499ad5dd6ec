import type { Me } from '../controller/http/people-schemas.js';
import { ActionView, InvocationAnswer, NodeView, pageOf } from '../controller/http/schemas.js';
import { ENDED_STATUSES } from '../controller/http/statuses.js';
import type { McpBackend, Waiting } from '../controller/mcp/backend.js';
import type { Client } from './client.js';
import { offeredIntegrations } from './offered-integrations.js';

/** The REST API of a controller as the tools of an AI agent use it, with the token of this caller. */
export function createRestBackend(client: Client, me: Pick<Me, 'id' | 'role'>): McpBackend {
  async function whenDone(answer: InvocationAnswer, { seconds, signal }: Waiting): Promise<InvocationAnswer> {
    const { id, status } = answer.invocation;
    if (seconds === 0 || status === 'pending' || ENDED_STATUSES.has(status)) return answer;
    return client.call(InvocationAnswer, { path: pathOf(id), waitSeconds: seconds, signal });
  }

  return {
    nodes: (query) => client.call(pageOf(NodeView), { path: '/nodes', query }),
    actions: (query) => client.list(ActionView, { path: '/actions', query }),
    integrations: () => offeredIntegrations(client, me),
    async invoke(body, { idempotencyKey, wait }) {
      const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
      const { signal } = wait;
      const asked = await client.call(InvocationAnswer, {
        method: 'POST',
        path: '/invocations',
        body,
        headers,
        signal,
      });
      return whenDone(asked, wait);
    },
    get: async (id, wait) => whenDone(await client.call(InvocationAnswer, { path: pathOf(id) }), wait),
    cancel: (id, reason) =>
      client.call(InvocationAnswer, { method: 'POST', path: `${pathOf(id)}/cancel`, body: { reason } }),
  };
}

function pathOf(id: string): string {
  return `/invocations/${encodeURIComponent(id)}`;
}
