import { z } from 'zod';
import { IntegrationAction, IntegrationView } from '../controller/http/integration-schemas.js';
import type { Me } from '../controller/http/people-schemas.js';
import { AvailableIntegration } from '../controller/http/sandbox-action-schemas.js';
import type { OfferedIntegration } from '../controller/mcp/backend.js';
import { sandboxOf } from '../controller/sandboxes/rows.js';
import type { Client } from './client.js';

/** The first page, on which all integrations are. */
const Available = z.object({ integrations: z.array(AvailableIntegration) });

/** The integrations that whoever has the token may ask, with their actions; a sandbox looks under its own address. */
export function offeredIntegrations(
  client: Client,
  { id, role }: Pick<Me, 'id' | 'role'>,
): Promise<OfferedIntegration[]> {
  return role === 'sandbox' ? ofSandbox(client, id) : ofPerson(client);
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
