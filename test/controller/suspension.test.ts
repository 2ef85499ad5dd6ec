import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ensureOwnerToken } from '../../controller/identity/api-tokens.js';
import type { Principal } from '../../controller/services.js';
import { askFor, invoke } from '../support/asks.js';
import { assertRejectsCode } from '../support/assert-code.js';
import { auditRows } from '../support/audit-rows.js';
import type { TestScope } from '../support/broker.js';
import { OWNER, startTestCore, type TestCore } from '../support/core.js';
import { copyStore } from '../support/put-back.js';
import { type ScriptedAgent, startScriptedAgent } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

const ANN: Principal = { id: 'ann', org: 'default', role: 'operator' };
const BODY = { bodySha256: '0'.repeat(64) };
const PRIME = { name: 'prime', description: 'changes something', parameters: [] };

test('a controller whose store was put back to an older copy starts nothing until an owner resumes it', async (t) => {
  const { muster, agent } = await startPair(t);
  const { asked, putBack } = await leaveForLater({ muster, agent });
  await putBack();

  await agent.hello();
  await agent.hello(); // whatever the first one brought is here by now

  const { services } = muster.core;
  assert.equal(agent.offers.length, 0);
  const { suspended, node } = services.suspension.read();
  assert.deepEqual([suspended, node], [true, 'pump-1']);
  assert.match((await services.metrics()).body, /^muster_controller_suspended 1$/m);
  await assertRejectsCode(invoke(services.invocations, { nodes: ['pump-1'] }), 'suspended');
  const { items } = await services.invocations.pending('default', { limit: 1 });
  await assertRejectsCode(
    services.invocations.approve(OWNER, items[0]?.id ?? '', { digest: items[0]?.digest ?? '' }),
    'suspended',
  );
  await muster.stop();
  await muster.start();
  await agent.hello();
  await agent.hello();
  assert.deepEqual([agent.offers.length, muster.core.services.suspension.read().suspended], [0, true]);

  await muster.core.services.suspension.resume(OWNER);

  assert.equal((await agent.nextOffer()).request.triggered_by?.invocation_id, asked);
  assert.equal(muster.core.services.suspension.read().suspended, false);
  assert.deepEqual(await rowsOf(muster, 'controller_suspended'), [['controller', 'controller', 'pump-1']]);
  assert.deepEqual(await rowsOf(muster, 'controller_resumed'), [['owner', 'controller', 'pump-1']]);
  await assertRejectsCode(muster.core.services.suspension.resume(OWNER), 'conflict');
});

test('nodes that poll are given nothing meanwhile', async (t) => {
  const { muster, agent } = await startPair(t);
  const { services } = muster.core;
  await services.polling.createToken(OWNER, { node: 'kiosk-1', groups: [], labels: {} });
  await invoke(services.invocations, { nodes: ['kiosk-1'] }, { action: 'restart', confirm: true });
  const { putBack } = await leaveForLater({ muster, agent });
  await putBack();
  const fetch = () => muster.core.services.polling.fetch({ node: 'kiosk-1', org: 'default' }, 'a-key');

  await agent.hello();

  assert.deepEqual(await fetch(), []);
  await muster.core.services.suspension.resume(OWNER);
  assert.equal((await fetch()).length, 1);
});

test('no batch begins meanwhile, although the one before it has ended', async (t) => {
  const { muster, agent } = await startPair(t);
  const { services } = muster.core;
  await ensureOwnerToken(muster.store, 'default', Date.now()); // batches are for users that there are
  const second = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2' });
  const target = { nodes: ['pump-1', 'pump-2'] };
  const id = await invoke(services.invocations, target, { batch: { size: 1, max_failed: 0 } });
  const offered = await agent.nextOffer();
  const { putBack } = await copyStore(muster);
  await muster.start();
  for (let count = 0; count < 2; count += 1) await agent.hello();
  await putBack();
  const stateOf = async (node: string) =>
    (await muster.core.services.invocations.execution('default', id, node))?.status;
  const countEvents = async () =>
    (await muster.store.read.selectFrom('events').select('body').execute()).filter(isOnline).length;

  await agent.hello();
  await agent.result(offered);
  await until(async () => (await stateOf('pump-1')) === 'success', { what: 'the end of the first batch' });
  const before = await countEvents();
  await second.hello();
  // It is told of in a tick, after the batches that were due in it had begun.
  await until(async () => (await countEvents()) > before, { what: 'the second node is told of' });

  assert.equal(await stateOf('pump-2'), 'held');
  await muster.core.services.suspension.resume(OWNER);
  assert.equal((await second.nextOffer()).request.triggered_by?.invocation_id, id);
});

test('results of what was offered before the copy was made are asked for, and taken meanwhile', async (t) => {
  const { muster, agent } = await startPair(t);
  const id = await invoke(muster.core.services.invocations, { nodes: ['pump-1'] });
  const offered = await agent.nextOffer();
  const { putBack } = await leaveForLater({ muster, agent });
  await putBack();

  await agent.hello();

  const welcome = agent.controls.filter(({ kind }) => kind === 'welcome').at(-1);
  assert.deepEqual(welcome?.kind === 'welcome' ? welcome.wanted : undefined, [offered.request.execution_id]);
  await agent.result(offered);
  const done = await muster.core.services.invocations.whenDone('default', id, { ms: 10_000 });
  assert.equal(done?.status, 'completed');
  assert.equal(muster.core.services.suspension.read().suspended, true);
});

test('a node that is found behind when work was resumed, and one that says so later, suspend nothing', async (t) => {
  const { muster, agent } = await startPair(t);
  const { services } = muster.core;
  const other = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2' });
  const copy = await copyStore(muster);
  await muster.start();
  for (const each of [agent, other]) for (let count = 0; count < 3; count += 1) await each.hello();
  await copy.putBack();
  await agent.hello();
  await muster.core.services.suspension.resume(OWNER);

  await other.hello();
  await other.hello({ last_welcome_seq: 5_000_000 });

  assert.equal(muster.core.services.suspension.read().suspended, false);
  await muster.stop();
  await muster.start();
  await agent.hello();
  assert.equal(muster.core.services.suspension.read().suspended, false);
});

test('a node that has enrolled anew does not pass for one that knows more than the store', async (t) => {
  const { muster } = await startPair(t);
  const { services } = muster.core;
  const script = { silent: true };
  const fresh = await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-2', script });

  await fresh.hello({ last_welcome_seq: 40 });

  assert.equal(services.suspension.read().suspended, false);
  assert.deepEqual(await auditRows(muster.store, 'store_older_than_node'), []);
});

type Pair = Readonly<{ muster: TestCore; agent: ScriptedAgent }>;

async function startPair(t: TestScope): Promise<Pair> {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const script = { actions: [{ name: 'ping', description: 'answers', parameters: [] }, PRIME] };
  return {
    muster,
    agent: await startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node: 'pump-1', script }),
  };
}

/** Asks for something while the node is away, and copies the store; that is cancelled then, and the node comes back. */
async function leaveForLater({ muster, agent }: Pair): Promise<{ asked: string; putBack: () => Promise<void> }> {
  const { invocations } = muster.core.services;
  await agent.goOffline();
  await until(() => !muster.core.presence.isConnected('pump-1'), { what: 'the node is away' });
  await invocations.create(ANN, askFor({ nodes: ['pump-1'] }, { action: 'prime' }), BODY);
  const asked = await invoke(invocations, { nodes: ['pump-1'] });
  const { putBack } = await copyStore(muster);
  await muster.start();
  await muster.core.services.invocations.cancel(OWNER, asked, {});
  for (let count = 0; count < 2; count += 1) await agent.hello();
  return { asked, putBack };
}

function isOnline({ body }: { body: string }): boolean {
  return body.includes('"pump-2"') && body.includes('"online"');
}

async function rowsOf(muster: TestCore, event: string): Promise<unknown[]> {
  const rows = await auditRows(muster.store, event);
  return rows.map(({ actor, subject, details }) => [actor, subject, Object(details).node]);
}
