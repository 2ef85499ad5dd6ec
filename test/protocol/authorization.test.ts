import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { denialOf, type Principal } from '../../protocol/authorization.js';
import { TOPICS, type TopicKind, topicFilter, topicName } from '../../protocol/topics.js';

const PREFIX = 'muster/v1';
const scope = { prefix: PREFIX, org: 'default' };
const node: Principal = { role: 'node', id: 'pump-7', org: 'default', groups: ['pumps'] };
const controller: Principal = { role: 'controller', id: 'ctl-a', org: 'default', groups: [] };
const monitor: Principal = { role: 'monitor', id: 'mon-a', org: 'default', groups: [] };
const KINDS = Object.keys(TOPICS) as TopicKind[];

/** Levels that make near misses likely, and any other text. */
const level = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('muster', 'v1', 'default', 'node', 'group', 'fleet', 'terminal', 'other') },
  { weight: 4, arbitrary: fc.constantFrom('pump-7', 'pump-8', 'pumps', 'valves', 'Pump-7', 'pump-7 ', 'pump-77') },
  { weight: 4, arbitrary: fc.constantFrom('request', 'control', 'result', 'status', 'in', 'out') },
  { weight: 2, arbitrary: fc.constantFrom('+', '#', '', '$share', '$SYS', '..', '\u0000', '%2f') },
  fc.string({ maxLength: 12 }),
);
const below = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'));
const text = fc.oneof(
  below,
  below.map((rest) => `${PREFIX}/default/${rest}`),
  below.map((rest) => `${PREFIX}/default/node/${rest}`),
  fc.constantFrom(...KINDS).map((kind) => topicName(scope, kind, { node: 'pump-8', group: 'valves', terminal: 't1' })),
  fc.constantFrom(...KINDS).map((kind) => topicName(scope, kind, { node: 'pump-7', group: 'pumps', terminal: 't1' })),
  fc.constantFrom(...KINDS).map((kind) => topicFilter(scope, kind)),
);
const runs = { numRuns: 5000 };

/** Whether an MQTT 3.1.1 filter matches a topic, written from section 4.7 and not from our own code. */
function matchesFilter(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const given = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false;
  for (const [index, each] of wanted.entries()) {
    if (each === '#') return true;
    if (index >= given.length || (each !== '+' && each !== given[index])) return false;
  }
  return wanted.length === given.length;
}

test('a node can publish nothing but below its own name, whatever the string', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 2 }), fc.boolean(), (topic, qos, retain) => {
      if (denialOf(node, PREFIX, { operation: 'publish', topic, qos, retain }) !== undefined) return;
      assert.ok(topic.startsWith('muster/v1/default/node/pump-7/'), topic);
      assert.ok(qos < 2);
      assert.ok(!retain || topic === 'muster/v1/default/node/pump-7/status');
    }),
    runs,
  );
});

test('a node can receive nothing but for itself, its groups and the fleet, whatever the string', () => {
  const own =
    /^muster\/v1\/default\/(node\/pump-7\/(request|control|terminal\/[A-Za-z0-9_-]+\/in)|group\/pumps\/request|fleet\/request)$/;
  fc.assert(
    fc.property(text, (topic) => {
      if (denialOf(node, PREFIX, { operation: 'receive', topic }) === undefined) assert.match(topic, own);
    }),
    runs,
  );
});

test('no filter that a node is granted matches a topic that it may not receive', () => {
  fc.assert(
    fc.property(text, text, (filter, topic) => {
      if (denialOf(node, PREFIX, { operation: 'subscribe', filter, qos: 1 }) !== undefined) return;
      if (/[+#]/.test(topic) || !matchesFilter(filter, topic)) return;
      const known = KINDS.some((kind) => matchesFilter(topicFilter(scope, kind), topic));
      if (known) assert.equal(denialOf(node, PREFIX, { operation: 'receive', topic }), undefined, `${filter} ${topic}`);
      assert.doesNotMatch(topic, /pump-8|valves/);
    }),
    runs,
  );
});

test('an id of another org opens nothing here', () => {
  const foreign: Principal = { ...controller, org: 'other' };
  fc.assert(
    fc.property(text, (topic) => {
      assert.notEqual(denialOf(foreign, PREFIX, { operation: 'publish', topic, qos: 1, retain: false }), undefined);
      assert.notEqual(denialOf(foreign, PREFIX, { operation: 'subscribe', filter: topic, qos: 1 }), undefined);
      assert.notEqual(denialOf(foreign, PREFIX, { operation: 'receive', topic }), undefined);
    }),
    runs,
  );
});

test('a monitor reads $SYS and nothing else, and publishes nothing', () => {
  fc.assert(
    fc.property(text, (topic) => {
      assert.notEqual(denialOf(monitor, PREFIX, { operation: 'publish', topic, qos: 0, retain: false }), undefined);
      if (denialOf(monitor, PREFIX, { operation: 'subscribe', filter: topic, qos: 0 }) === undefined)
        assert.ok(topic.startsWith('$SYS/'), topic);
    }),
    runs,
  );
  assert.equal(denialOf(monitor, PREFIX, { operation: 'subscribe', filter: '$SYS/#', qos: 0 }), undefined);
  assert.equal(denialOf(monitor, PREFIX, { operation: 'subscribe', filter: '#', qos: 0 }), 'role');
});

for (const kind of KINDS) {
  const { from, to, qos, retain } = TOPICS[kind];
  test(`${kind} is published by the ${from} and read by the ${to} alone`, () => {
    const topic = topicName(scope, kind, { node: 'pump-7', group: 'pumps', terminal: 't1' });
    const publish = { operation: 'publish', topic, qos, retain } as const;
    const receive = { operation: 'receive', topic } as const;

    assert.equal(denialOf(node, PREFIX, publish), from === 'agent' ? undefined : 'role');
    assert.equal(denialOf(controller, PREFIX, publish), from === 'controller' ? undefined : 'role');
    assert.equal(denialOf(monitor, PREFIX, publish), 'role');
    assert.equal(denialOf(node, PREFIX, receive), to === 'agent' ? undefined : 'role');
    assert.equal(denialOf(controller, PREFIX, receive), undefined);
    assert.equal(denialOf(monitor, PREFIX, receive), 'role');
  });
}

test('QoS above the table, QoS 2, foreign retain and shared subscriptions are named as such', () => {
  const [metrics, result] = [
    topicName(scope, 'metrics', { node: 'pump-7' }),
    topicName(scope, 'result', { node: 'pump-7' }),
  ];
  const publish = (topic: string, qos: number, retain: boolean) =>
    denialOf(node, PREFIX, { operation: 'publish', topic, qos, retain });
  const subscribe = (filter: string, qos: number) => denialOf(node, PREFIX, { operation: 'subscribe', filter, qos });
  const control = topicName(scope, 'control', { node: 'pump-7' });

  assert.equal(publish(metrics, 1, false), 'qos');
  assert.equal(publish(result, 2, false), 'qos');
  assert.equal(publish(result, 1, true), 'retain');
  assert.equal(subscribe(control, 2), 'qos');
  assert.equal(subscribe(`$share/g/${control}`, 1), 'shared');
  assert.equal(subscribe(`$queue/${control}`, 1), 'shared');
  assert.equal(subscribe('#', 1), 'topic');
});
