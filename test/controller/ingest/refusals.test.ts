import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ErrorCode } from '../../../protocol/errors.js';
import { generateKeyPair } from '../../../runtime/key-file.js';
import { invoke } from '../../support/asks.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { type Offered, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

/** What a hostile or broken node may send instead of its result, and how it is refused. */
const LIES: readonly Readonly<{
  what: string;
  code: ErrorCode;
  tell: (agent: ScriptedAgent, offered: Offered) => Promise<void>;
}>[] = [
  {
    what: 'a result that a stranger signed',
    code: 'unknown_key',
    tell: (agent, offered) => agent.say('result', 'muster-result', agent.resultOf(offered), generateKeyPair()),
  },
  {
    what: 'a result signed as another kind of message',
    code: 'envelope_type',
    tell: (agent, offered) => agent.say('result', 'muster-ack', agent.resultOf(offered)),
  },
  {
    what: 'a result that names another node',
    code: 'wrong_audience',
    tell: (agent, offered) => agent.result(offered, { node: 'pump-2' }),
  },
  {
    what: 'a result that names another org',
    code: 'wrong_audience',
    tell: (agent, offered) => agent.result(offered, { org: 'other' }),
  },
  {
    what: 'a result for other request octets',
    code: 'wrong_request',
    tell: (agent, offered) => agent.result(offered, { request_sha256: 'a'.repeat(64) }),
  },
  {
    what: 'a result for an execution that was never asked',
    code: 'unknown_execution',
    tell: (agent, offered) => agent.result(offered, { execution_id: '0192f0c1-2b3c-7d4e-8f50-6172839405a6' }),
  },
  {
    what: 'a result that does not fit its schema',
    code: 'payload_invalid',
    tell: (agent, offered) => agent.say('result', 'muster-result', { ...agent.resultOf(offered), exit_code: 'no' }),
  },
  {
    what: 'a result of a version that we do not speak',
    code: 'unknown_version',
    tell: (agent, offered) => agent.say('result', 'muster-result', { ...agent.resultOf(offered), v: 2 }),
  },
  {
    what: 'a result that is not JSON',
    code: 'payload_malformed',
    tell: (agent) => agent.say('result', 'muster-result', '{'),
  },
  {
    what: 'bytes that are no envelope',
    code: 'envelope_malformed',
    tell: (agent) => agent.session.publish('result', { node: agent.node }, 'hello'),
  },
  {
    what: 'an acceptance of other request octets',
    code: 'wrong_request',
    tell: (agent, offered) => agent.ack({ ...offered, sha256: 'b'.repeat(64) }),
  },
  {
    what: 'a rejection that a stranger signed',
    code: 'unknown_key',
    tell: (agent, { request, sha256 }) =>
      agent.say(
        'ack',
        'muster-ack',
        {
          ...{ v: 1, execution_id: request.execution_id, node: agent.node, org: 'default', request_sha256: sha256 },
          ...{ status: 'rejected', reason: 'actions_disabled' },
        },
        generateKeyPair(),
      ),
  },
  {
    what: 'output for an execution that was never asked',
    code: 'unknown_execution',
    tell: (agent) =>
      agent.say('output', 'muster-output', {
        ...{ v: 1, execution_id: '0192f0c1-2b3c-7d4e-8f50-6172839405a6', node: agent.node, org: 'default' },
        ...{ seq: 0, stream: 'stdout', offset: 0, data: 'x', encoding: 'utf-8', last: true },
      }),
  },
  {
    what: 'a reply to a control that was never sent',
    code: 'stale',
    tell: (agent) =>
      agent.say('reply', 'muster-reply', {
        ...{ v: 1, control_id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427', control_sha256: 'c'.repeat(64) },
        ...{ node: agent.node, org: 'default', ok: true, data: {} },
      }),
  },
];

for (const { what, code, tell } of LIES) {
  test(`${what} is refused with ${code}, counted, and changes nothing (promise 8)`, async (t) => {
    const muster = await startTestCore(t);
    const { services } = muster.core;
    const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
    const id = await invoke(services.invocations, { nodes: ['pump-1'] });
    const offered = await agent.nextOffer();

    await tell(agent, offered);
    await until(async () => (await refusalsOf(muster, code)) === 1, { what: `a refusal ${code}` });

    assert.equal((await services.invocations.get('default', id))?.status, 'approved');
    assert.equal((await muster.store.read.selectFrom('results').selectAll().execute()).length, 0);
    await agent.result(offered);
    assert.equal((await services.invocations.whenDone('default', id, { ms: 5_000 }))?.status, 'completed');
  });
}

test('what may be a lie is audited, once a minute for each kind', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });
  await invoke(services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();

  for (let count = 0; count < 5; count += 1) await agent.result(offered, { request_sha256: 'a'.repeat(64) });
  await until(async () => (await refusalsOf(muster, 'wrong_request')) === 5, { what: 'five refusals' });
  await muster.store.write(async () => undefined, { lazy: true });

  const rows = await muster.store.read.selectFrom('audit').selectAll().where('event', '=', 'message_refused').execute();
  assert.equal(rows.length, 1);
  assert.equal(rows[0]?.subject, 'node:pump-1');
});

test('a node that was never enrolled is not believed, whatever it signs', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1' });

  await agent.say('hello', 'muster-hello', {}, generateKeyPair());

  await until(async () => (await refusalsOf(muster, 'unknown_key')) === 1, { what: 'a refusal' });
});

async function refusalsOf(muster: TestCore, code: ErrorCode): Promise<number> {
  const { body } = await muster.core.services.metrics();
  const line = body
    .split('\n')
    .find((each) => each.startsWith(`muster_controller_messages_refused_total{code="${code}"}`));
  return Number(line?.split(' ')[1]);
}
