import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { openBrokerToken } from '../../../protocol/broker-token.js';
import { Hello } from '../../../protocol/messages/hello.js';
import { toTime } from '../../../runtime/clock.js';
import { invoke } from '../../support/asks.js';
import { startTestCore } from '../../support/core.js';
import { startCoreWithNode } from '../../support/core-with-node.js';
import { type ScriptedAgent, startScriptedAgent } from '../../support/scripted-agent.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { createTestClock } from '../../support/test-clock.js';
import { until } from '../../support/until.js';

/** Together more than may wait for the disk at once. */
const FLOODING_NODES = 30;
const HELLOS_OF_EACH = 50;
const DAY_MS = 24 * 3600 * 1000;

test('a welcome answers the nonce, says who the node is, and counts up', async (t) => {
  const clock = createTestClock();
  const script = { groups: ['pumps'], labels: { site: 'north' } };
  const { services, agent } = await startCoreWithNode(t, { clock, script });

  await agent.hello({ nonce: 'b3BlbnNlc2FtZTEyMzQ1Ng', journal_seq: 7 });

  const [first, second] = welcomesOf(agent);
  const view = await services.nodes.get('default', 'pump-1');
  assert.equal(second?.nonce, 'b3BlbnNlc2FtZTEyMzQ1Ng');
  assert.equal(second.welcome_seq, (first?.welcome_seq ?? 0) + 1);
  assert.equal(second.journal_seq, 7);
  assert.deepEqual(second.labels, { site: 'north' });
  assert.deepEqual(second.groups, [{ id: 'pumps', since: view?.enrolled_at }]);
  assert.equal(second.enrolled_at, view?.enrolled_at);
  assert.deepEqual([first?.announce, second.announce], [true, false]);
  assert.equal(second.keys, undefined);
  assert.equal(second.password, undefined);
  assert.equal(view?.state, 'online');
});

test('the number of the welcome goes on counting after a restart of the controller', async (t) => {
  const { muster, agent } = await startCoreWithNode(t);
  const before = welcomesOf(agent).at(-1)?.welcome_seq ?? 0;

  await muster.stop();
  await muster.start();
  await agent.hello();

  assert.equal(welcomesOf(agent).at(-1)?.welcome_seq, before + 1);
});

test('a welcome brings a new password when half of its life is over', async (t) => {
  const clock = createTestClock();
  const { muster, agent } = await startCoreWithNode(t, { clock });

  clock.advance(4 * DAY_MS);
  await agent.hello();
  await agent.hello();

  const [renewed, next] = welcomesOf(agent).slice(-2);
  const { list } = muster.keyring.keys;
  const { expiresAtMs } = openBrokerToken(renewed?.password ?? '', {
    keyOf: (kid) => list.keys.get(kid),
    nowMs: clock.nowMs(),
  });
  assert.ok(expiresAtMs > clock.nowMs() + 6 * DAY_MS);
  assert.equal(next?.password, undefined);
});

test('a node with an older key list gets the newest', async (t) => {
  const clock = createTestClock();
  const directory = temporaryDirectory(t);
  ensureKeys(directory, 'default', clock);
  clock.advance(16 * DAY_MS);
  const { muster, agent } = await startCoreWithNode(t, { clock, directory });

  await agent.hello({ keys_version: 2 });

  const { version, jws } = muster.keyring.keys.list;
  assert.equal(version, 2);
  assert.deepEqual(
    welcomesOf(agent).map(({ keys }) => keys),
    [jws, undefined],
  );
});

test('a hello from an earlier process or connection, or one that comes twice, gets no welcome', async (t) => {
  const { services, agent } = await startCoreWithNode(t);
  const newer = randomUUID();
  await agent.hello({ process_id: newer, connection: 5, nonce: 'd2VsY29tZS1tZS1vbmNl' });
  const count = welcomesOf(agent).length;

  await sayHello(agent, { nonce: 'Zmlyc3QtcHJvY2Vzcw__', process_id: agent.processId });
  await sayHello(agent, { nonce: 'b2xkZXItY29ubmVjdGlvbg', process_id: newer, connection: 4 });
  await sayHello(agent, { nonce: 'd2VsY29tZS1tZS1vbmNl', process_id: newer, connection: 5 });
  await agent.hello({ process_id: newer, connection: 6 });

  assert.equal(welcomesOf(agent).length, count + 1);
  const { body } = await services.metrics();
  assert.match(body, /messages_refused_total\{code="stale"\} 2/);
  assert.match(body, /messages_refused_total\{code="replayed"\} 1/);
});

test('a hello of the same connection that names no journal any more was kept and sent again, and ends nothing', async (t) => {
  const { services, agent, offer } = await startCoreWithNode(t);
  const journal_epoch = toTime(Date.now());
  await agent.hello({ connection: 5, journal_epoch });
  const { id: asked } = await offer();

  await sayHello(agent, { nonce: 'b2xkZXItY29ubmVjdGlvbg', connection: 5, journal_epoch: null });
  await agent.hello({ connection: 6, journal_epoch });

  assert.notEqual((await services.invocations.get('default', asked))?.status, 'failed');
  assert.match((await services.metrics()).body, /messages_refused_total\{code="stale"\} 1/);
});

test('more than a thousand hellos at once do not stop the link', async (t) => {
  const muster = await startTestCore(t);
  const { services } = muster.core;
  const start = (node: string) => startScriptedAgent(t, { services, brokerUrl: muster.brokerUrl, node });
  const agents: ScriptedAgent[] = [];
  for (let number = 0; number < FLOODING_NODES; number += 1) agents.push(await start(`pump-${number}`));

  await Promise.all(
    agents.flatMap((agent) =>
      Array.from({ length: HELLOS_OF_EACH }, (_, index) =>
        sayHello(agent, { nonce: `flood-of-hellos-${index}`, connection: 5 }),
      ),
    ),
  );

  const count = (): number => agents.reduce((sum, agent) => sum + welcomesOf(agent).length, 0);
  const all = FLOODING_NODES * (HELLOS_OF_EACH + 1);
  await until(() => count() === all, { what: 'each hello is answered', deadlineMs: 60_000 });
});

test('what the node says it holds stops the offers, and what is stored is receipted', async (t) => {
  const { agent, offer, becomes, whenDone } = await startCoreWithNode(t);
  const { id: running, offered: first } = await offer();
  const { id: ended, offered: second } = await offer();
  await agent.result(second);
  await whenDone(ended);
  await until(() => agent.receipted().length === 1, { what: 'the first receipt' });

  const { execution_id: done } = second.request;
  await agent.hello({ running: [first.request.execution_id], unreceipted: [done], unreceipted_count: 1 });

  await until(() => agent.receipted().length === 2, { what: 'the second receipt' });
  await becomes(running, 'executing');
});

test('a node that lost its journal ends what it was offered as journal_lost, and is offered the rest anew', async (t) => {
  const clock = createTestClock();
  const { muster, services, agent, offer, whenDone, goOffline } = await startCoreWithNode(t, { clock });
  await agent.hello();
  const accepted = await invoke(services.invocations, { nodes: ['pump-1'] });
  await agent.ack(await agent.nextOffer());
  const { id: offered } = await offer();
  await goOffline();
  const waiting = await invoke(services.invocations, { nodes: ['pump-1'] });

  clock.advance(1_000);
  await agent.hello({ process_id: randomUUID(), journal_epoch: null });

  for (const id of [accepted, offered]) {
    const done = await whenDone(id);
    assert.equal(done?.status, 'failed');
    const execution = await services.invocations.execution('default', id, 'pump-1');
    assert.deepEqual([execution?.error_code, execution?.launched], ['journal_lost', 'unknown']);
  }
  await until(async () => (await services.invocations.execution('default', waiting, 'pump-1'))?.sent_at != null, {
    what: 'the offer of what was left',
  });
  const audit = await muster.store.read.selectFrom('audit').selectAll().where('event', '=', 'journal_lost').execute();
  assert.equal(audit.length, 1);
});

test('a journal that is lost before its epoch was ever named is noticed too (promise 4)', async (t) => {
  const { services, agent, whenDone } = await startCoreWithNode(t);
  const id = await invoke(services.invocations, { nodes: ['pump-1'] });
  await agent.ack(await agent.nextOffer());

  await agent.hello({ process_id: randomUUID(), journal_epoch: null });

  const done = await whenDone(id);
  assert.equal(done?.status, 'failed');
});

test('a node that says hello again before its first welcome came has lost nothing', async (t) => {
  const { agent, offer, whenDone } = await startCoreWithNode(t);
  const { id } = await offer();

  await agent.hello({ journal_epoch: null });
  await agent.result(await agent.nextOffer());

  assert.equal((await whenDone(id))?.status, 'completed');
});

test('what the journal of the node does not know, whatever an ack said, is offered again', async (t) => {
  const { agent, offer, becomes, whenDone } = await startCoreWithNode(t);
  const { id, offered } = await offer();
  await agent.ack(offered);
  await becomes(id, 'executing');

  await agent.hello();
  await agent.answerWelcome({ unknown_executions: [offered.request.execution_id] });
  const again = await agent.nextOffer();

  assert.equal(again.sha256, offered.sha256);
  await agent.result(again);
  assert.equal((await whenDone(id))?.status, 'completed');
});

test('capabilities count only once a hello names them', async (t) => {
  const { services, agent } = await startCoreWithNode(t);
  const announces = (): number => agent.controls.filter(({ kind }) => kind === 'announce').length;
  const before = announces();

  await agent.say('capabilities', 'muster-capabilities', {
    ...{
      v: 1,
      node: 'pump-1',
      org: 'default',
      builtin_actions: [],
      hooks: [],
      containers: [],
      terminals: [],
      limits: {},
    },
  });
  await until(() => announces() > before, { what: 'that a hello is asked for' });
  await agent.hello();

  assert.deepEqual((await services.nodes.get('default', 'pump-1'))?.builtin_actions, ['ping']);
});

function welcomesOf({ controls }: ScriptedAgent) {
  return controls.flatMap((control) => (control.kind === 'welcome' ? [control] : []));
}

async function sayHello(agent: ScriptedAgent, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const hello = Hello.parse({
    ...{ v: 1, node: agent.node, org: 'default', boot_id: randomUUID(), process_id: agent.processId, connection: 1 },
    ...{ agent_version: '0', started_at: toTime(Date.now()), node_time: toTime(Date.now()), nonce: 'x'.repeat(22) },
    ...{ journal_epoch: null, journal_seq: 0, last_welcome_seq: 0, keys_version: 1, capabilities_sha256: null },
    ...{ running: [], unreceipted: [], unreceipted_count: 0, terminals: [] },
    ...changes,
  });
  await agent.say('hello', 'muster-hello', hello);
}
