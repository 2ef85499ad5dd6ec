import { z } from 'zod';
import { IntegrationAction, IntegrationView } from '../controller/http/integration-schemas.js';
import type { Me } from '../controller/http/people-schemas.js';
import { AvailableIntegration } from '../controller/http/sandbox-action-schemas.js';
import { ActionView, ENDED_STATUSES, InvocationAnswer, NodeView, pageOf } from '../controller/http/schemas.js';
import type { McpBackend, OfferedIntegration, Waiting } from '../controller/mcp/backend.js';
import { sandboxOf } from '../controller/sandboxes/rows.js';
import type { Client } from './client.js';

const Available = z.object({ integrations: z.array(AvailableIntegration) });

/** The REST API of a controller as the tools of an AI agent use it, with the token of this caller. */
export function createRestBackend(client: Client, { id, role }: Pick<Me, 'id' | 'role'>): McpBackend {
  async function whenDone(answer: InvocationAnswer, { seconds, signal }: Waiting): Promise<InvocationAnswer> {
    const { id, status } = answer.invocation;
    if (seconds === 0 || status === 'pending' || ENDED_STATUSES.has(status)) return answer;
    return client.call(InvocationAnswer, { path: pathOf(id), waitSeconds: seconds, signal });
  }

  return {
    nodes: (query) => client.call(pageOf(NodeView), { path: '/nodes', query }),
    actions: (query) => client.list(ActionView, { path: '/actions', query }),
    integrations: () => (role === 'sandbox' ? ofSandbox(client, id) : ofPerson(client)),
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

async function ofSandbox(client: Client, principal: string): Promise<OfferedIntegration[]> {
  const path = `/${encodeURIComponent(sandboxOf(principal) ?? '')}/actions/available`;
  const { integrations } = await client.call(Available, { path, isAtRoot: true });
  return integrations
    .filter(({ integrationId }) => integrationId !== null)
    .map(({ integration: name, actions }) => ({ name, actions: actions.map(toAction) }));
}

async function ofPerson(client: Client): Promise<OfferedIntegration[]> {
  const all = await client.list(IntegrationView, { path: '/integrations' });
  return all.filter(({ status }) => status === 'active');
}

function toAction({
  riskLevel: risk,
  ...action
}: z.infer<typeof Available>['integrations'][number]['actions'][number]) {
  return IntegrationAction.parse({ ...action, risk });
}

function pathOf(id: string): string {
  return `/invocations/${encodeURIComponent(id)}`;
}
