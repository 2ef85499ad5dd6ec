import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMusterError } from '../../protocol/errors.js';
import { parseFilter, parseTopic, TOPICS, type TopicKind, topicFilter, topicName } from '../../protocol/topics.js';
import { assertThrowsCode } from '../support/assert-code.js';

const SCOPE = { prefix: 'muster/v1', org: 'default' };
const KINDS = Object.keys(TOPICS) as TopicKind[];
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/);
const levels = fc.record({ node: id, group: id, terminal: id });
const kind = fc.constantFrom(...KINDS);

test('parseTopic inverts topicName for every kind', () => {
  fc.assert(
    fc.property(kind, levels, id, (each, given, org) => {
      const scope = { prefix: 'muster/v1', org };
      const found = parseTopic(scope, topicName(scope, each, given));
      const wanted = Object.entries(given).filter(([level]) => TOPICS[each].pattern.includes(`{${level}}`));
      assert.deepEqual(found, { kind: each, levels: Object.fromEntries(wanted) });
    }),
  );
});

test('no level makes a wildcard or an extra level (S-M-17)', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('+', '#', 'a/b', '$share', '', 'a\0', '../x'),
  );
  fc.assert(
    fc.property(hostile, (node) => {
      let topic: string;
      try {
        topic = topicName(SCOPE, 'control', { node });
      } catch (error) {
        assert.ok(isMusterError(error, 'topic_invalid'));
        return;
      }
      assert.equal(topic.split('/').length, 6);
      assert.doesNotMatch(topic, /[+#$\s]/);
    }),
  );
});

test('a filter matches what it names and leaves the other levels open', () => {
  assert.equal(topicFilter(SCOPE, 'result'), 'muster/v1/default/node/+/result');
  assert.equal(topicFilter(SCOPE, 'control', { node: 'pump-7' }), 'muster/v1/default/node/pump-7/control');
  assert.equal(topicFilter(SCOPE, 'fleet_request'), 'muster/v1/default/fleet/request');
  assert.deepEqual(parseFilter(SCOPE, 'muster/v1/default/node/+/result'), { kind: 'result', levels: { node: '+' } });
  assert.equal(parseFilter(SCOPE, 'muster/v1/default/#'), undefined);
  assert.equal(parseTopic(SCOPE, 'muster/v1/default/node/+/result'), undefined);
  assertThrowsCode(() => topicFilter(SCOPE, 'result', { node: '#' }), 'topic_invalid');
});

test('only topics of this prefix and org are ours', () => {
  for (const topic of [
    'muster/v1/other/node/a/result',
    'muster/v2/default/node/a/result',
    'muster/v1/default/node/a/result/x',
    'muster/v1/default/node/a',
    'muster/v1/default//a/result',
    '/muster/v1/default/node/a/result',
    '$SYS/broker',
    '',
  ])
    assert.equal(parseTopic(SCOPE, topic), undefined, topic);
});

test('a topic is at most 256 bytes and 8 levels', () => {
  const scope = { prefix: `m/${'v'.repeat(200)}`, org: 'default' };
  assertThrowsCode(() => topicName(scope, 'hello', { node: 'n'.repeat(63) }), 'topic_invalid');
  assertThrowsCode(() => topicName({ prefix: 'muster/v1', org: 'a/b' }, 'fleet_request', {}), 'topic_invalid');
  for (const { pattern } of Object.values(TOPICS)) assert.ok(pattern.split('/').length + 3 <= 8, pattern);
});

test('only the status is retained and only metrics are sent at QoS 0', () => {
  assert.deepEqual(
    KINDS.filter((each) => TOPICS[each].retain),
    ['status'],
  );
  assert.deepEqual(
    KINDS.filter((each) => TOPICS[each].qos === 0),
    ['metrics'],
  );
});
