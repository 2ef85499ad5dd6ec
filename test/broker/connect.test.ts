import assert from 'node:assert/strict';
import test from 'node:test';
import { connectAsync } from 'mqtt';
import { startTestBroker } from '../support/broker.js';

test('a node connects with a signed password', async (t) => {
  const broker = await startTestBroker(t);
  const node = await connectAsync(broker.url, { ...broker.credential('node', 'pump-7'), reconnectPeriod: 0 });
  t.after(() => node.endAsync(true));
  const controller = await connectAsync(broker.url, {
    ...broker.credential('controller', 'ctl-a'),
    reconnectPeriod: 0,
  });
  t.after(() => controller.endAsync(true));
  await controller.subscribeAsync('muster/v1/default/node/+/status', { qos: 1 });
  const told = new Promise<string>((r) => controller.once('message', (topic, payload) => r(topic + payload)));
  await node.publishAsync('muster/v1/default/node/pump-7/status', 'hi', { qos: 1, retain: true });
  assert.equal(await told, 'muster/v1/default/node/pump-7/statushi');
});
