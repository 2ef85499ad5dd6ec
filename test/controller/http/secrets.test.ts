import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { InvocationAnswer, InvocationView, pageOf } from '../../../controller/http/schemas.js';
import { startPollingInstallation } from '../../support/polling.js';
import { startScriptedAgent } from '../../support/scripted-agent.js';

const SECRET = 'hunter2';
const SHOWN = { user: 'ann', password: '[redacted]', Api_Key: '[redacted]' };
const ASK = {
  action: 'log-in',
  target: { nodes: ['pump-1'] },
  parameters: { user: 'ann', password: SECRET, Api_Key: SECRET },
};

test('promise 22, S-A-24: who may not approve reads no secret of an ask, who may does, and the node gets it as it was asked', async (t) => {
  const { call, muster, people } = await startPollingInstallation(t);
  const parameters = Object.keys(ASK.parameters).map((name) => ({
    ...{ name, type: 'string' as const, required: true, description: '' },
  }));
  const script = { actions: [{ name: 'log-in', description: '', parameters }] };
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  const asked = await call('POST', '/api/v1/invocations', { token: people.operator, body: ASK });
  const { id, digest } = InvocationAnswer.parse(asked.body).invocation;
  const one = `/api/v1/invocations/${id}`;
  const read = async (path: string, token: string): Promise<unknown> => (await call('GET', path, { token })).body;

  for (const token of [people.viewer, people.operator, people.admin, people.owner]) {
    for (const path of ['/api/v1/invocations', '/api/v1/approvals']) {
      const { items } = pageOf(InvocationView).parse(await read(path, token));
      assert.deepEqual(
        items.map(({ parameters: shown }) => shown),
        [SHOWN],
        path,
      );
    }
  }
  for (const token of [people.viewer, people.operator]) {
    assert.deepEqual(InvocationAnswer.parse(await read(one, token)).invocation.parameters, SHOWN);
  }
  for (const token of [people.admin, people.owner]) {
    assert.deepEqual(InvocationAnswer.parse(await read(one, token)).invocation.parameters, ASK.parameters);
  }
  const headers = { prefer: 'wait=0' };
  const approved = await call('POST', `${one}/approve`, { token: people.admin, body: { digest }, headers });
  const { invocation } = z.object({ invocation: InvocationView }).parse(approved.body);

  assert.deepEqual(invocation.parameters, SHOWN);
  assert.deepEqual((await agent.nextOffer()).request.parameters, ASK.parameters);
  assert.ok(!JSON.stringify(asked.body).includes(SECRET));
});
