import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startContainers } from '../../../../agent/actions/containers/start-containers.js';
import { Capabilities } from '../../../../protocol/messages/capabilities.js';
import { SYSTEM_CLOCK } from '../../../../runtime/clock.js';
import { createLogger } from '../../../../runtime/logger.js';
import { NO_MASK } from '../../../../runtime/masking/mask.js';
import { startTestBroker } from '../../../support/broker.js';
import { keyOfAgent, scriptController, startControlledAgent } from '../../../support/controlled-agent.js';
import { sendJson, startStandInEngine } from '../../../support/engines/stand-in.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

const NAMES = ['list', 'inspect', 'logs', 'start', 'stop', 'restart'].map((each) => `container_${each}`);

/** What a node offers with this setting, now and later. */
async function start(t: TestContext, setting: string, usual: readonly string[] = []) {
  const offered: string[] = [];
  let changes = 0;
  const containers = await startContainers({
    ...{ setting, usual, maxOutputBytes: 65_536, mask: NO_MASK, searchMs: 20 },
    offer: (actions) => offered.push(...actions.map(({ name }) => name)),
    onChange: () => {
      changes += 1;
    },
    ...{ clock: SYSTEM_CLOCK, random: Math.random, log: createLogger('agent', { level: 'silent' }) },
  });
  t.after(containers.stop);
  return { containers, offered, changes: () => changes };
}

test('with an engine the six actions are offered at once, with the containers that there are', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web', labels: { site: 'north' } });

  const { containers, offered } = await start(t, '', ['/nonexistent.sock', engine.socket]);

  assert.deepEqual(offered, NAMES);
  assert.deepEqual(
    containers.announced().map(({ name, image, state, labels }) => ({ name, image, state, labels })),
    [{ name: 'web', image: 'bb:latest', state: 'created', labels: { site: 'north' } }],
  );
});

test('a setting that names a socket that is not there offers the actions all the same; off offers none, whatever is there', async (t) => {
  const engine = await startStandInEngine(t);

  assert.deepEqual((await start(t, join(temporaryDirectory(t), 'absent.sock'))).offered, NAMES);
  assert.deepEqual((await start(t, 'off', [engine.socket])).offered, []);
  assert.deepEqual(engine.asked, []);
});

test('an engine that is not there yet is found when its socket appears', async (t) => {
  const socket = join(temporaryDirectory(t), 'engine.sock');
  const { containers, offered, changes } = await start(t, '', [socket]);
  assert.deepEqual([offered, containers.announced()], [[], []]);

  const engine = await startStandInEngine(t, socket);
  await engine.create({ name: 'web' });
  await until(() => containers.announced().length === 1, { what: 'its container' });

  assert.deepEqual(offered, NAMES);
  assert.ok(changes() >= 2, 'the actions and the container are told');
});

test('until an engine has told which containers it has there may be some that are not announced, and that is told', async (t) => {
  const engine = await startStandInEngine(t);
  engine.answer('GET /containers/json', (_, response) => sendJson(response, 500, { message: 'starting' }));
  const { containers, changes } = await start(t, engine.socket);
  const unlisted = containers.isUnlisted();
  const before = changes();

  engine.answer('GET /containers/json');
  await until(() => !containers.isUnlisted(), { what: 'the list' });

  assert.deepEqual([unlisted, containers.announced(), changes() > before], [true, [], true]);
  assert.equal((await start(t, 'off')).containers.isUnlisted(), false);
});

test('a change of the containers is told, and what changes nothing of what is announced is not', async (t) => {
  const engine = await startStandInEngine(t);
  const { containers, changes } = await start(t, engine.socket);
  await until(() => engine.listeners() === 1, { what: 'somebody listens' });
  const looks = (): number => engine.asked.filter((call) => call.startsWith('GET /containers/json')).length;
  const [before, told] = [looks(), changes()];

  engine.emit(`${JSON.stringify({ Type: 'container', Action: 'start' })}\n`);
  await until(() => looks() > before, { what: 'a look' });
  assert.equal(changes(), told);
  await engine.create({ name: 'web' });
  await until(() => changes() === told + 1, { what: 'it is told' });
  assert.equal(containers.announced().length, 1);
  await containers.stop();
  await until(() => engine.listeners() === 0, { what: 'nobody listens any more' });
});

test('S-D: containers that come one after the other are each told of within seconds, and while they do there may be others', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'first' });
  const { containers } = await start(t, engine.socket);
  assert.deepEqual([containers.announced().length, containers.isUnlisted()], [1, false]);

  for (let count = 2; count <= 3; count += 1) {
    await engine.create({ name: `number-${count}` });
    await until(() => containers.announced().length === count, { what: `${count} of them`, deadlineMs: 20_000 });
    assert.equal(containers.isUnlisted(), true);
  }
});

test('S-D-14: a real agent announces its containers, and rejects a verb that it does not have', async (t) => {
  const engine = await startStandInEngine(t);
  const id = await engine.create({ name: 'web' });
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  controller.welcomeWith({ announce: true });
  const agent = await startControlledAgent(t, broker, directory, { settings: { containers_socket: engine.socket } });
  await agent.whenWelcomed;

  const { builtin_actions, containers } = Capabilities.parse(await controller.hear('capabilities'));
  const changing = builtin_actions.filter(({ name, risk }) => NAMES.includes(name) && risk === 'write');
  assert.deepEqual(
    changing.map(({ name }) => name),
    NAMES.slice(3),
  );
  assert.deepEqual(
    containers.map((each) => each.id),
    [id],
  );
  for (const action of ['container_kill', 'container_remove', 'container_exec']) {
    const request = controller.request({ action, parameters: { container: 'web' } });
    await controller.send('node_request', request);
    const ack = await controller.hear('ack', ({ execution_id }) => execution_id === request.execution_id);
    assert.deepEqual([ack.status, ack.reason], ['rejected', 'unknown_action']);
  }
  assert.ok(engine.asked.every((call) => call.startsWith('GET ')));
});
