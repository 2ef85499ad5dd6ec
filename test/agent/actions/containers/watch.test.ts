import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { toAnnounced } from '../../../../agent/actions/containers/announced.js';
import type { ListedContainer } from '../../../../agent/actions/containers/answers.js';
import { createEngine } from '../../../../agent/actions/containers/engine.js';
import { createEventTaker } from '../../../../agent/actions/containers/events.js';
import { type ContainerWatch, startContainerWatch } from '../../../../agent/actions/containers/watch.js';
import { SYSTEM_CLOCK } from '../../../../runtime/clock.js';
import { createLogger } from '../../../../runtime/logger.js';
import { assertThrowsCode } from '../../../support/assert-code.js';
import { type StandInEngine, startStandInEngine } from '../../../support/engines/stand-in.js';
import { until } from '../../../support/until.js';

type Watched = Readonly<{
  watch: ContainerWatch;
  names: () => string[];
  logs: readonly string[];
}>;

/** Follows an engine, and tries again without a pause. */
function follow(t: TestContext, engine: StandInEngine): Watched {
  let names: string[] = [];
  const logs: string[] = [];
  const destination = new Writable({
    write(line, _, done) {
      logs.push(String(line));
      done();
    },
  });
  const watch = startContainerWatch({
    engine: createEngine(() => engine.socket, { answerMs: 500 }),
    compare(listed) {
      names = listed.flatMap(({ Names }) => Names.map((name) => name.slice(1)));
      return 'nothing';
    },
    tell: () => undefined,
    clock: SYSTEM_CLOCK,
    random: () => -2, // the least of what a pause may be
    log: createLogger('agent', { level: 'info', destination }),
  });
  t.after(watch.stop);
  return { watch, names: () => names, logs };
}

test('a container that comes and goes is heard of by an event, also after the stream of events has broken', async (t) => {
  const engine = await startStandInEngine(t);
  const first = await engine.create({ name: 'first' });
  const { watch, names } = follow(t, engine);
  await watch.looked;
  assert.deepEqual(names(), ['first']);

  await engine.stop();
  const second = await engine.create({ name: 'second' });
  await engine.start();
  await until(() => names().join() === 'first,second', { what: 'what came meanwhile' });
  await engine.remove(first);
  await until(() => names().join() === 'second', { what: 'what went' });
  assert.equal(engine.ids()[0], second);
});

test('what runs inside of a container makes nobody look, and what cannot be read does', () => {
  let looks = 0;
  const take = createEventTaker(() => {
    looks += 1;
  });
  const event = (members: object): Buffer => Buffer.from(`${JSON.stringify({ Type: 'container', ...members })}\n`);

  for (const Action of ['exec_create: sh', 'exec_start: sh', 'exec_die', 'health_status: healthy', 'top', 'attach']) {
    assert.equal(take(event({ Action })), true);
  }
  take(Buffer.from('\n'));
  assert.equal(looks, 0);
  const changes = [event({ Action: 'die' }), event({ status: 'remove' }), event({}), Buffer.from('nonsense\n')];
  for (const each of changes) take(each);
  assert.equal(looks, changes.length);
  const [half, rest] = [event({ Action: 'start' }).subarray(0, 9), event({ Action: 'start' }).subarray(9)];
  take(half);
  assert.equal(looks, changes.length);
  take(rest);
  assert.equal(looks, changes.length + 1);
  assertThrowsCode(() => take(Buffer.alloc(300_000, 'x')), 'invalid_request');
});

test('while the engine is away or talks nonsense what was there stays, and each fault is logged once', async (t) => {
  const engine = await startStandInEngine(t);
  await engine.create({ name: 'web' });
  const { watch, names, logs } = follow(t, engine);
  await watch.looked;

  engine.answer('GET /containers/json', (_, response) => response.writeHead(500).end('<h1>'));
  engine.emit(`${'x'.repeat(300_000)}\n`);
  await until(() => logs.some((line) => line.includes('engine_refused')), { what: 'the fault is logged' });
  await engine.stop();
  await until(() => logs.some((line) => line.includes('engine_unavailable')), { what: 'its absence is logged' });
  const told = logs.filter((line) => line.includes('engine_unavailable')).length;
  engine.answer('GET /containers/json');
  await engine.start();
  await until(() => logs.at(-1)?.includes('container engine answers'), { what: 'its return is logged' });

  assert.deepEqual(names(), ['web']);
  assert.equal(told, 1);
});

test('the first look at an engine that hangs ends, and so does the watch', async (t) => {
  const engine = await startStandInEngine(t);
  engine.answer('GET', () => undefined);
  const { watch, names } = follow(t, engine);

  await watch.looked;
  await watch.stop();

  assert.deepEqual(names(), []);
});

test('protected containers are announced first, then those that run', () => {
  const containers = Array.from(
    { length: 600 },
    (_, index): ListedContainer => ({
      ...{ Id: index.toString(16).padStart(64, '0'), Names: [`/c${index}`, '/other/alias'], Image: 'app:1' },
      ...{ State: index % 2 === 0 ? 'exited' : 'running', Status: '', Created: 0, Ports: [] },
      Labels: index === 598 ? { 'muster.protected': 'true', 'db.password': 'hunter2' } : {},
    }),
  );

  const announced = toAnnounced(containers);
  const [long] = toAnnounced([
    { ...containers[0], Id: 'f'.repeat(64), Names: [`/${'x'.repeat(200)}`], State: 'stopped' },
  ]);

  assert.deepEqual(long, { id: 'f'.repeat(64), image: 'app:1', state: 'exited', labels: {} });
  assert.equal(announced.length, 600);
  assert.deepEqual(announced[0], {
    ...{ id: containers[598]?.Id, name: 'c598', image: 'app:1', state: 'exited' },
    labels: { 'muster.protected': 'true' },
  });
  assert.deepEqual(
    announced.slice(1, 301).filter(({ state }) => state !== 'running'),
    [],
  );
});
