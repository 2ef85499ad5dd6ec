import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { GrantView } from '../../../controller/http/grant-schemas.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import type { TestScope } from '../../support/broker.js';
import { startIntegrations } from '../../support/integrations.js';
import { makeSandbox } from '../../support/sandboxes.js';
import { startStandIn } from '../../support/stand-in.js';

const PARAMS = { issue: '4711', status: 'resolved' };

test('S-A-37, S-A-39: an approval with a grant lets the next asks of the same integration and action run at once', async (t) => {
  const { stage, sandbox, ask, hits } = await startSite(t);
  const first = (await ask('sentry')).invocation;

  const { status, body } = await stage.call('POST', `/api/v1/invocations/${first.id}/approve`, {
    token: stage.people.admin,
    body: { digest: first.digest, grant: { max_calls: 1 } },
  });
  const granted = z.object({ grant: GrantView }).parse(body).grant;
  const [second, third] = [await ask('sentry'), await ask('sentry')];

  assert.deepEqual([status, granted.target, granted.sandbox], [200, { integration: 'sentry' }, sandbox.id]);
  assert.deepEqual([second.invocation.status, second.invocation.approved_by], ['completed', `grant:${granted.id}`]);
  assert.equal(third.invocation.status, 'pending');
  assert.equal(hits(), 2);
});

test('S-A-40: a grant for every integration covers each of them and no node, one for a name only what had it then', async (t) => {
  const { stage, ask, grant } = await startSite(t);
  const { id } = await grant({ integration: '*' });
  for (const name of ['sentry', 'other']) assert.equal((await ask(name)).invocation.approved_by, `grant:${id}`);
  await stage.call('DELETE', `/api/v1/grants/${id}`, { token: stage.people.admin });

  const named = await grant({ integration: 'other' });
  assert.equal((await ask('other')).invocation.approved_by, `grant:${named.id}`);
  assert.equal((await ask('sentry')).invocation.status, 'pending');
  await stage.replace('other');

  assert.equal((await ask('other')).invocation.status, 'pending');
  const { body } = await stage.call('GET', `/api/v1/grants/${named.id}`, { token: stage.people.admin });
  assert.deepEqual(GrantView.parse(body).target, { integration: null });
});

test('an ask for an integration that is switched off meanwhile is not approved with a grant, and goes on waiting', async (t) => {
  const { stage, ask } = await startSite(t);
  const { id, digest } = (await ask('sentry')).invocation;
  await stage.call('PATCH', '/api/v1/integrations/sentry', { token: stage.people.admin, body: { status: 'disabled' } });

  const body = { digest, grant: {} };
  const { status } = await stage.call('POST', `/api/v1/invocations/${id}/approve`, { token: stage.people.admin, body });

  assert.equal(status, 409);
  assert.equal((await stage.read(id)).invocation.status, 'pending');
  const listed = await stage.call('GET', '/api/v1/grants', { token: stage.people.admin });
  assert.deepEqual(z.object({ items: z.array(GrantView) }).parse(listed.body).items, []);
});

async function startSite(t: TestScope) {
  const stage = await startIntegrations(t);
  const { url, requests } = await startStandIn(t, () => ({ json: { id: '4711', status: 'resolved' } }));
  const names = ['sentry', 'other'];
  for (const name of names) await stage.add('sentry', url, { name });
  const sandbox = await makeSandbox(
    stage.muster,
    'ci',
    names.map((integration) => ({ integration, actions: ['*'] })),
  );
  const operator = stage.people.operator;
  return {
    sandbox,
    stage: {
      ...stage,
      /** Another integration of the same name, in the place of this one. */
      async replace(name: string): Promise<void> {
        await stage.call('DELETE', `/api/v1/integrations/${name}`, { token: stage.people.admin });
        await stage.add('sentry', url, { name });
      },
    },
    hits: () => requests.length,
    /** As the sandbox, or as an operator where its connection has gone with the integration. */
    async ask(name: string): Promise<InvocationAnswer> {
      const bySandbox = await stage.askRaw(name, 'update_issue', { parameters: PARAMS, token: sandbox.token });
      const taken = [200, 202].includes(bySandbox.status);
      const answer = taken
        ? bySandbox
        : await stage.askRaw(name, 'update_issue', { parameters: PARAMS, token: operator });
      return InvocationAnswer.parse(answer.body);
    },
    async grant(target: object): Promise<GrantView> {
      const body = { scope: 'org', target, actions: ['update_*'] };
      const { body: made } = await stage.call('POST', '/api/v1/grants', { token: stage.people.admin, body });
      return GrantView.parse(made);
    },
  };
}
