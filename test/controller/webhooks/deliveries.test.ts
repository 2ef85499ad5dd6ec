import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Principal } from '../../../controller/services.js';
import { readEvents } from '../../../controller/store/events.js';
import type { Webhook } from '../../../controller/webhooks/webhooks-file.js';
import { askFor, invoke } from '../../support/asks.js';
import type { TestScope } from '../../support/broker.js';
import { startTestCore, type TestCore } from '../../support/core.js';
import { type Received, startReceiver } from '../../support/receiver.js';
import { PING, type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { until } from '../../support/until.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const PASSWORD = { name: 'password', type: 'string' as const, required: false, description: '' };
const PRIME = { name: 'prime', description: 'changes something', parameters: [PASSWORD] };
const Told = z.looseObject({ id: z.int(), type: z.string() });

test('a webhook is told of asks that wait, of ends and of nodes that go, in their order, and of nothing else', async (t) => {
  const { muster, agent } = await startPair(t);
  const receiver = await startReceiver(t);
  follow(t, muster, hookAt(receiver.url));
  const { invocations } = muster.core.services;
  await until(() => isFollowed(muster), { what: 'the webhook is known' });

  const waiting = await invocations.create(
    ANN,
    askFor({ nodes: ['pump-1'] }, { action: 'prime', parameters: { password: 'x' } }),
    { bodySha256: '0'.repeat(64) },
  );
  const done = await invoke(invocations, { nodes: ['pump-1'] });
  await invocations.whenDone('default', done, { ms: 10_000 });
  // Who comes and goes between two looks was not away, and nobody is told.
  await until(() => isToldOnline(muster), { what: 'the node was told to be online' });
  await agent.goOffline();
  await until(() => receiver.got.length === 3, { what: 'three messages' });

  const told = receiver.got.map(({ body }) => Told.parse(JSON.parse(body)));
  assert.deepEqual(
    told.map(({ type, invocationId, node, change }) => [type, invocationId ?? node, change]),
    [
      ['action_approval_request', waiting.invocation.id, undefined],
      ['action_completed', done, undefined],
      ['node', 'pump-1', 'offline'],
    ],
  );
  assert.deepEqual(
    receiver.got.map(({ headers }) => headers['muster-event']),
    ['action_approval_request', 'action_completed', 'node_offline'],
  );
  assert.deepEqual(told[0]?.params, { password: '[redacted]' });
  await until(
    async () => /webhook_deliveries_total\{result="delivered"\} 3/.test((await muster.core.services.metrics()).body),
    { what: 'three are counted' },
  );
});

test('what a receiver does not take is told again until it does, also by the controller that comes after', async (t) => {
  const { muster } = await startPair(t);
  const receiver = await startReceiver(t, { status: 500 });
  const stop = follow(t, muster, hookAt(receiver.url));
  const { invocations } = muster.core.services;
  await until(() => isFollowed(muster), { what: 'the webhook is known' });
  const first = await invoke(invocations, { nodes: ['pump-1'] });
  await until(() => receiver.got.length >= 2, { what: 'two tries' });
  await stop();
  await muster.stop();
  const tries = receiver.got.length;
  assert.equal(new Set(receiver.got.map(({ headers }) => headers['muster-delivery'])).size, 1);

  receiver.answer(200);
  await muster.start();
  follow(t, muster, hookAt(receiver.url));

  await until(() => receiver.got.length > tries, { what: 'another try' });
  assert.equal(idIn(receiver.got.at(-1)), first);
  const { invocations: later } = muster.core.services;
  const second = await later.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), {
    bodySha256: '0'.repeat(64),
  });
  await until(() => idIn(receiver.got.at(-1)) === second.invocation.id, { what: 'the next one' });
  assert.equal(receiver.got.length, tries + 2);
});

test('one receiver that fails holds up no other, and events that are no longer held are counted as lost', async (t) => {
  const { muster } = await startPair(t);
  const [broken, good] = [await startReceiver(t, { status: 500 }), await startReceiver(t)];
  const hooks = [hookAt(broken.url), { ...hookAt(good.url), name: 'chat' }];
  const stop = follow(t, muster, ...hooks);
  const { invocations } = muster.core.services;
  await until(() => isFollowed(muster, 2), { what: 'the webhooks are known' });

  await invoke(invocations, { nodes: ['pump-1'] });
  await Promise.all([good.first, broken.first]);
  await stop();
  await muster.store.write((tx) => tx.deleteFrom('events').execute());
  const next = await invoke(invocations, { nodes: ['pump-1'] });
  broken.answer(200);
  follow(t, muster, ...hooks);

  await until(() => idIn(broken.got.at(-1)) === next, { what: 'the next one' });
  assert.match((await muster.core.services.metrics()).body, /webhook_deliveries_total\{result="lost"\} [1-9]/);
  const rows = await muster.store.read
    .selectFrom('audit')
    .selectAll()
    .where('event', '=', 'webhook_events_lost')
    .execute();
  assert.deepEqual(new Set(rows.map(({ details }) => JSON.parse(details).why)), new Set(['no_longer_held']));
  assert.deepEqual((await muster.core.services.audit.verify({})).findings, []);
});

function hookAt(url: string): Webhook {
  return {
    ...{ name: 'pager', url, secret: 'a secret of some length', allow: ['127.0.0.1'] },
    events: ['action_approval_request', 'action_completed', 'node_offline'],
  };
}

function follow(t: TestScope, muster: TestCore, ...webhooks: Webhook[]): () => Promise<void> {
  const stop = muster.core.startWebhooks(webhooks);
  t.after(stop);
  return stop;
}

async function isFollowed({ store }: TestCore, count = 1): Promise<boolean> {
  return (await store.read.selectFrom('webhook_positions').selectAll().execute()).length === count;
}

function idIn(got: Received | undefined): string | undefined {
  return z.object({ invocationId: z.string().optional() }).parse(JSON.parse(got?.body ?? '{}')).invocationId;
}

async function startPair(t: TestScope): Promise<Readonly<{ muster: TestCore; agent: ScriptedAgent }>> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const script = { actions: [PING, PRIME], runs: true };
  const agent = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script });
  return { muster, agent };
}

async function isToldOnline({ store }: TestCore): Promise<boolean> {
  return (await readEvents(store.read, 0)).some(({ body }) => body.includes('"online"'));
}
