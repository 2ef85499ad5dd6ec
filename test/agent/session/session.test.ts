import assert from 'node:assert/strict';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { uuidv7 } from 'uuidv7';
import { loadIdentity } from '../../../agent/identity.js';
import { sha256Hex } from '../../../protocol/envelope.js';
import { SYSTEM_CLOCK, toTime } from '../../../runtime/clock.js';
import { startTestBroker, type TestScope } from '../../support/broker.js';
import { keyOfAgent, refusalsOf, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { startLink } from '../../support/link.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const HOUR_MS = 3_600_000;

test('P-2, P-49, P-50, P-54, P-56, P-94: an agent says online and hello, is welcomed, and runs what it is asked', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const request = controller.request({ triggered_by: { type: 'user', id: 'ada' } });

  await controller.send('node_request', request);

  const ack = await controller.hear('ack');
  const result = await controller.hear('result');
  const octets = Buffer.from(JSON.stringify(request));
  assert.deepEqual([ack.status, ack.reason, ack.request_sha256], ['accepted', '', sha256Hex(octets)]);
  assert.deepEqual([result.status, result.execution_id], ['success', request.execution_id]);
  assert.deepEqual(result.triggered_by, { type: 'user', id: 'ada' });
  assert.equal(result.process_id, controller.processId());
  const online = await controller.hear('status', ({ state }) => state === 'online');
  assert.equal(online.process_id, controller.processId());
});

test('hello tells what the journal holds', async (t) => {
  const { controller } = await setUp(t);

  const first = await controller.hear('hello');
  assert.deepEqual(
    [first.connection, first.journal_epoch, first.journal_seq, first.last_welcome_seq, first.keys_version],
    [1, null, 0, 0, 1],
  );
  assert.deepEqual([first.running, first.unreceipted, first.unreceipted_count], [[], [], 0]);

  const request = controller.request();
  await controller.send('node_request', request);
  await controller.hear('result');
  await controller.send('control', controller.control('announce', { capabilities: false }));

  const second = await controller.hear('hello', ({ journal_seq }) => journal_seq === 1);
  assert.equal(second.last_welcome_seq, 1);
  assert.match(String(second.journal_epoch), /Z$/);
  assert.deepEqual([second.unreceipted, second.unreceipted_count], [[request.execution_id], 1]);
});

test('without a welcome hello is said again, and requests are answered not_yet_valid', async (t) => {
  const { controller, agent } = await setUp(t, { welcome: undefined });
  await until(() => controller.heard('hello').length >= 2, { what: 'a second hello' });
  await controller.send('node_request', controller.request());
  assert.equal((await controller.hear('ack')).reason, 'not_yet_valid');

  controller.welcomeWith({});
  await agent.whenWelcomed;
  await controller.send('node_request', controller.request());

  assert.equal((await controller.hear('ack', ({ status }) => status === 'accepted')).reason, '');
});

test('a welcome counts once, for the nonce of an open hello', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const [{ nonce } = {}] = controller.heard('hello');

  for (const stale of [nonce, 'never-said-0123456789']) {
    const refused = await refusalsOf(agent, 'stale');
    await controller.send('control', controller.control('welcome', { nonce: stale, now: '2030-01-01T00:00:00Z' }));
    await until(async () => (await refusalsOf(agent, 'stale')) === refused + 1, { what: 'a refusal' });
  }

  await controller.send('node_request', controller.request());
  assert.equal((await controller.hear('ack')).status, 'accepted');
});

test('S-M-18: the time of the welcome decides, whatever the clock of the node says', async (t) => {
  const yearsMs = 20 * 365 * 24 * HOUR_MS;
  const clock = { ...SYSTEM_CLOCK, nowMs: () => SYSTEM_CLOCK.nowMs() - yearsMs };
  const { controller, agent } = await setUp(t, { clock });
  await agent.whenWelcomed;

  await controller.send('node_request', controller.request());

  const result = await controller.hear('result');
  assert.equal(result.status, 'success');
  assert.ok(Math.abs(Date.parse(String(result.finished_at)) - SYSTEM_CLOCK.nowMs()) < 60_000);
});

test('a controller whose clock was set back is understood after its next announce', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const nowMs = SYSTEM_CLOCK.nowMs() - HOUR_MS;
  const [issued_at, expires_at] = [toTime(nowMs), toTime(nowMs + 30_000)];
  controller.welcomeWith({ now: issued_at });

  await controller.send('control', {
    ...controller.control('announce', { capabilities: false }),
    issued_at,
    expires_at,
  });
  await until(() => controller.heard('hello').length === 2, { what: 'a hello' });

  await until(
    async () => {
      await controller.send('node_request', { ...controller.request(), issued_at, expires_at });
      return controller.heard('ack').some(({ reason }) => reason === 'before_epoch');
    },
    { what: 'a request that is in its time, and from before the journal began' },
  );
});

test('S-M-10: a result is kept and said again on each welcome, until its receipt, also by the next process', async (t) => {
  const { controller, agent, restart } = await setUp(t);
  await agent.whenWelcomed;
  const request = controller.request();
  await controller.send('node_request', request);
  await controller.hear('result');

  await restart();
  await until(() => controller.heard('result').length >= 2, { what: 'the result again' });
  const [first, second] = controller.said.filter(({ kind }) => kind === 'result');
  assert.ok(first && second && first.octets.equals(second.octets));

  await controller.send('control', controller.control('receipt', { execution_ids: [request.execution_id] }));
  await controller.send('control', controller.control('announce', { capabilities: false }));
  const hello = await controller.hear(
    'hello',
    ({ unreceipted_count, journal_seq }) => journal_seq === 1 && unreceipted_count === 0,
  );
  assert.deepEqual(hello.unreceipted, []);
});

test('wanted results are said again, also with a receipt, and unknown ones are named', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const request = controller.request();
  await controller.send('node_request', request);
  await controller.hear('result');
  await controller.send('control', controller.control('receipt', { execution_ids: [request.execution_id] }));
  const unknown = uuidv7();

  controller.welcomeWith({ wanted: [request.execution_id, unknown] });
  await controller.send('control', controller.control('announce', { capabilities: false }));

  const reply = await controller.hear('reply');
  assert.deepEqual([reply.ok, reply.data], [true, { unknown_executions: [unknown] }]);
  await until(() => controller.heard('result').length === 2, { what: 'the result again' });
});

test('a cancel ends what runs, and is replied to', async (t) => {
  const { controller, agent } = await setUp(t, { hooks: { wait: '#!/bin/sh\nexec sleep 60\n' } });
  await agent.whenWelcomed;
  const request = controller.request({ action: 'wait', checksum: sha256Hex('#!/bin/sh\nexec sleep 60\n') });
  await controller.send('node_request', request);
  await controller.hear('ack');
  const control = controller.control('cancel', { execution_id: request.execution_id, reason: 'not needed' });

  await controller.send('control', control);

  assert.equal((await controller.hear('result')).status, 'cancelled');
  const reply = await controller.hear('reply');
  assert.deepEqual([reply.control_id, reply.ok], [control.control_id, true]);
  assert.equal(reply.control_sha256, sha256Hex(JSON.stringify(control)));
});

test('a flood of requests that cannot be answered leaves cancels and receipts their way (promise 15)', async (t) => {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const link = await startLink(t, broker.port);
  const agent = await startControlledAgent(t, broker, directory, { settings: { broker_url: link.url } });
  await agent.whenWelcomed;
  const refusedBefore = await refusalsOf(agent, 'max_concurrent_reached');
  link.silence(); // what the agent says does not arrive, so no request is done with
  for (let sent = 0; sent < 1100; sent += 1)
    void controller.send('node_request', controller.request({ action: 'none' }));
  await until(async () => (await refusalsOf(agent, 'max_concurrent_reached')) > refusedBefore, { what: 'a full lane' });
  const cancelled = controller.request();
  await controller.send(
    'control',
    controller.control('cancel', { execution_id: cancelled.execution_id, reason: 'no' }),
  );

  link.heal();

  const reply = await controller.hear('reply');
  assert.deepEqual([reply.ok, reply.data], [true, { state: 'never_seen' }]);
});

test('what a welcome lists as cancelled does not start any more', async (t) => {
  const { controller, agent } = await setUp(t, { welcome: undefined });
  const request = controller.request();

  controller.welcomeWith({ cancelled: [request.execution_id] });
  await agent.whenWelcomed;
  await until(
    async () => {
      await controller.send('node_request', request);
      return controller.heard('ack').some(({ reason }) => reason === 'cancelled');
    },
    { what: 'a rejection' },
  );

  assert.deepEqual(controller.heard('result'), []);
});

test('output that is asked for again is the same, from that piece on', async (t) => {
  const script = '#!/bin/sh\nhead -c 200000 /dev/zero | tr "\\0" x\n';
  const { controller, agent } = await setUp(t, { hooks: { big: script } });
  await agent.whenWelcomed;
  const request = controller.request({ action: 'big', checksum: sha256Hex(script) });
  await controller.send('node_request', request);
  const { chunks } = await controller.hear('result');
  await until(() => controller.heard('output').length === chunks, { what: 'all pieces' });
  const first = controller.said.filter(({ kind }) => kind === 'output');

  await controller.send('control', controller.control('resend', { execution_id: request.execution_id, from_seq: 2 }));

  await until(() => controller.heard('output').length === first.length * 2 - 2, { what: 'pieces again' });
  const again = controller.said.filter(({ kind }) => kind === 'output').slice(first.length);
  assert.deepEqual(again, first.slice(2));
});

test('P-95, P-97: capabilities come when they are wanted, and fit the hash in hello', async (t) => {
  const { controller, agent } = await setUp(t, { welcome: { announce: true } });
  await agent.whenWelcomed;

  await controller.hear('capabilities');

  const said = controller.said.find(({ kind }) => kind === 'capabilities');
  assert.equal(controller.heard('hello')[0]?.capabilities_sha256, sha256Hex(said?.octets ?? ''));
});

test('a terminal is refused with a reply that says so', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;

  await controller.send(
    'control',
    controller.control('terminal_close', { terminal_id: 'one', reason: 'no longer wanted' }),
  );

  const reply = await controller.hear('reply');
  assert.equal(reply.ok, false);
  assert.match(JSON.stringify(reply.error), /"code":"handler_not_found"/);
});

test('new groups in a password make the agent connect anew and listen to them', async (t) => {
  const { controller, agent, broker, directory } = await setUp(t, { random: () => 0 });
  await agent.whenWelcomed;
  const { password } = broker.credential('node', 'pump', ['pumps']);

  controller.welcomeWith({ password, groups: [{ id: 'pumps', since: toTime(SYSTEM_CLOCK.nowMs() - HOUR_MS) }] });
  await controller.send('control', controller.control('announce', { capabilities: false }));

  await controller.hear('hello', ({ connection }) => connection === 2);
  assert.equal(loadIdentity(directory)?.broker.password, password);
});

test('a broadcast reaches a member, and a node that joined later keeps silent', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const nowMs = SYSTEM_CLOCK.nowMs();
  const member = controller.request({ target: { fleet: true }, roster_at: toTime(nowMs) });
  const before = controller.request({ target: { fleet: true }, roster_at: toTime(nowMs - 2 * HOUR_MS) });

  await controller.send('fleet_request', before);
  await until(async () => (await refusalsOf(agent, 'wrong_audience')) === 1, { what: 'a refusal' });
  await controller.send('fleet_request', member);
  assert.equal((await controller.hear('ack')).execution_id, member.execution_id);

  await controller.send('node_request', before);
  const { reason } = await controller.hear('ack', ({ execution_id }) => execution_id === before.execution_id);
  assert.equal(reason, 'wrong_target');
});

test('a journal older than the one that the controller has seen begins a new epoch', async (t) => {
  const { controller, agent } = await setUp(t);
  await agent.whenWelcomed;
  const old = controller.request({ issued_at: toTime(SYSTEM_CLOCK.nowMs() - 1000) });

  controller.welcomeWith({ journal_seq: 5 });
  await controller.send('control', controller.control('announce', { capabilities: false }));
  const hellos = controller.heard('hello').length;
  await until(() => controller.heard('hello').length > hellos, { what: 'another hello' });
  controller.welcomeWith({});
  await until(
    async () => {
      await controller.send('node_request', old);
      return controller.heard('ack').some(({ reason }) => reason === 'before_epoch');
    },
    { what: 'a rejection' },
  );

  assert.deepEqual(controller.heard('result'), []);
});

test('S-M-9: a broker that comes back finds the agent, and nothing is lost', async (t) => {
  const { controller, agent, broker, directory } = await setUp(t);
  await agent.whenWelcomed;
  await broker.restart();

  const again = await scriptController(t, broker, () => keyOfAgent(directory));
  const hello = await again.hear('hello', ({ connection }) => Number(connection) > 1);
  const request = again.request();
  await again.send('node_request', request);

  assert.equal((await again.hear('result')).execution_id, request.execution_id);
  assert.equal(hello.process_id, controller.processId());
});

test('P-97, S-M-8: a graceful stop says offline, stopped; results of what it cancelled go out first', async (t) => {
  const script = '#!/bin/sh\nexec sleep 60\n';
  const { controller, agent } = await setUp(t, { hooks: { wait: script } });
  await agent.whenWelcomed;
  const request = controller.request({ action: 'wait', checksum: sha256Hex(script) });
  await controller.send('node_request', request);
  await controller.hear('ack');

  await agent.stop(new AbortController().signal);

  assert.equal((await controller.hear('result')).status, 'cancelled');
  const offline = await controller.hear('status', ({ state }) => state === 'offline');
  assert.deepEqual([offline.reason, offline.process_id], ['stopped', controller.processId()]);
});

test('the password and the key are for the owner alone', async (t) => {
  const { directory } = await setUp(t);

  for (const name of ['identity.json', 'node.key', 'journal']) {
    assert.equal(statSync(join(directory, name)).mode & 0o077, 0, name);
  }
});

type Options = Readonly<{
  welcome?: Readonly<Record<string, unknown>> | undefined;
  hooks?: Readonly<Record<string, string>>;
  clock?: typeof SYSTEM_CLOCK;
  random?: () => number;
}>;

async function setUp(t: TestScope, options: Options = {}) {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  if ('welcome' in options) controller.welcomeWith(options.welcome);
  const { clock, random } = options;
  const start = () =>
    startControlledAgent(t, broker, directory, {
      ...(clock === undefined ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
      settings: { hooks_dir: writeHooks(t, options.hooks ?? {}) },
    });
  const agent = await start();
  const restart = async () => {
    await agent.stop(AbortSignal.abort());
    return start();
  };
  return { broker, directory, controller, agent, restart };
}

function writeHooks(t: TestScope, hooks: Readonly<Record<string, string>>): string {
  const directory = temporaryDirectory(t);
  for (const [name, text] of Object.entries(hooks)) {
    writeFileSync(join(directory, name), text);
    chmodSync(join(directory, name), 0o755);
  }
  return directory;
}
