import assert from 'node:assert/strict';
import { type Credential, IntegrationView } from '../../controller/http/integration-schemas.js';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import type { TestScope } from './broker.js';
import { type Answer, type PollingInstallation, startPollingInstallation } from './polling.js';

export const TOKEN = 'sntrys_canary-4711+secret/credential=';

/** What the API says of an ask. */
export type AskedAction = Readonly<{ status: number; answer: InvocationAnswer; headers: Headers }>;

/** A controller that knows integrations, and people of each role. */
export type IntegrationsStage = PollingInstallation &
  Readonly<{
    /** Adds an integration of this adapter at this address, with `TOKEN` unless a credential is given. */
    add: (adapter: string, url: string, more?: { name?: string; credential?: Credential }) => Promise<IntegrationView>;
    /** Asks for an action as the owner or whose token it is; fails unless it is taken. */
    ask: (target: string, action: string, parameters?: object, token?: string) => Promise<AskedAction>;
    /** The same, and gives whatever comes. */
    askRaw: (target: string, action: string, more?: { parameters?: object; token?: string }) => Promise<Answer>;
    decide: (
      verb: 'approve' | 'deny',
      invocation: Readonly<{ id: string; digest: string }>,
      token?: string,
    ) => Promise<Answer>;
    read: (id: string, token?: string) => Promise<InvocationAnswer>;
  }>;

export async function startIntegrations(
  t: TestScope,
  options: Parameters<typeof startPollingInstallation>[1] = {},
): Promise<IntegrationsStage> {
  const installation = await startPollingInstallation(t, options);
  const { call, people } = installation;

  const askRaw: IntegrationsStage['askRaw'] = (integration, action, { parameters = {}, token = people.owner } = {}) =>
    call('POST', '/api/v1/invocations', { token, body: { action, target: { integration }, parameters } });

  return {
    ...installation,
    async add(adapter, base_url, { name, credential = { provider: 'stored', token: TOKEN } } = {}) {
      const body = { adapter, base_url, credential, ...(name === undefined ? {} : { name }) };
      const { status, body: answer } = await call('POST', '/api/v1/integrations', { token: people.admin, body });
      assert.equal(status, 201, JSON.stringify(answer));
      const made: { integration?: unknown } = Object(answer);
      return IntegrationView.parse(made.integration);
    },
    askRaw,
    async ask(target, action, parameters = {}, token = people.owner) {
      const { status, body, headers } = await askRaw(target, action, { parameters, token });
      assert.ok(status === 200 || status === 202, `${status} ${JSON.stringify(body)}`);
      return { status, answer: InvocationAnswer.parse(body), headers };
    },
    decide: (verb, { id, digest }, token = people.admin) =>
      call('POST', `/api/v1/invocations/${id}/${verb}`, { token, body: verb === 'approve' ? { digest } : {} }),
    async read(id, token = people.viewer) {
      return InvocationAnswer.parse((await call('GET', `/api/v1/invocations/${id}`, { token })).body);
    },
  };
}
