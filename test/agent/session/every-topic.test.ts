import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signEnvelope } from '../../../protocol/envelope.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { type TopicKind, topicName } from '../../../protocol/topics.js';
import { startTestBroker } from '../../support/broker.js';
import { keyOfAgent, refusalsOf, scriptController, startControlledAgent } from '../../support/controlled-agent.js';
import { connectClient } from '../../support/mqtt-clients.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const LIMIT_BYTES = 16 * 1024;
/** What comes is refused, with this code. */
type Bad = Readonly<{ what: string; code: ErrorCode; message: (typ: 'muster-request' | 'muster-control') => string }>;

test('S-M-12: what is no message, of another version or too large is counted on every topic of an agent, and it works on', async (t) => {
  const broker = await startTestBroker(t);
  const directory = temporaryDirectory(t);
  const controller = await scriptController(t, broker, () => keyOfAgent(directory));
  const agent = await startControlledAgent(t, broker, directory, {
    groups: ['west'],
    settings: { max_packet_bytes: LIMIT_BYTES },
  });
  await agent.whenWelcomed;
  const client = await connectClient(t, broker.url, broker.credential('controller', 'ctl-bad'));
  const sign = (typ: 'muster-request' | 'muster-control', payload: string): string =>
    signEnvelope(typ, payload, broker.controller.signing);
  const bad: readonly Bad[] = [
    { what: 'bytes', code: 'envelope_malformed', message: () => 'hello' },
    { what: 'signed text', code: 'payload_malformed', message: (typ) => sign(typ, '{"v":1,') },
    { what: 'another version', code: 'unknown_version', message: (typ) => sign(typ, '{"v":2}') },
    { what: 'other members', code: 'payload_invalid', message: (typ) => sign(typ, '{"v":1,"kind":7}') },
    { what: 'too much', code: 'envelope_too_large', message: (typ) => sign(typ, `{"v":1${' '.repeat(LIMIT_BYTES)}}`) },
  ];
  const scope = { prefix: broker.prefix, org: broker.org };
  const topics: readonly (readonly [TopicKind, string])[] = [
    ['node_request', topicName(scope, 'node_request', { node: agent.node })],
    ['group_request', topicName(scope, 'group_request', { group: 'west' })],
    ['fleet_request', topicName(scope, 'fleet_request', {})],
    ['control', topicName(scope, 'control', { node: agent.node })],
  ];

  for (const [round, [kind, topic]] of topics.entries()) {
    for (const { what, code, message } of bad) {
      await client.publishAsync(topic, message(kind === 'control' ? 'muster-control' : 'muster-request'), { qos: 1 });
      const isCounted = async (): Promise<boolean> => (await refusalsOf(agent, code)) === round + 1;
      await until(isCounted, { what: `${what} on ${kind} is counted as ${code}` });
    }
  }

  const request = controller.request();
  await controller.send('node_request', request);
  assert.equal((await controller.hear('result')).execution_id, request.execution_id);
});
