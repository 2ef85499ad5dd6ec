import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeDetail, NodeView, pageOf } from '../../../controller/http/schemas.js';
import { openEvents } from '../../support/events.js';
import { startPollingInstallation } from '../../support/polling.js';
import { createTestClock } from '../../support/test-clock.js';

const MINUTE_MS = 60_000;

test('S-D-18: a node that polls is online for 60 s from its last word, in the list, alone, as an event and as a metric', async (t) => {
  const clock = createTestClock();
  const { muster, url, people, addNode, call } = await startPollingInstallation(t, { clock });
  const token = await addNode('kiosk-1');
  const stream = await openEvents(t, { url, token: people.owner, query: '?types=node' });
  const poll = () => call('GET', '/api/actions/pending?machine_id=kiosk-1', { token });
  const states = async () => {
    const list = pageOf(NodeView).parse((await call('GET', '/api/v1/nodes', { token: people.viewer })).body);
    const alone = NodeDetail.parse((await call('GET', '/api/v1/nodes/kiosk-1', { token: people.viewer })).body);
    const { body } = await muster.core.services.metrics();
    const [, online] = /muster_controller_nodes\{state="online"\} (\d)/.exec(body) ?? [];
    return [...list.items.map(({ state }) => state), alone.state, online];
  };

  assert.deepEqual(await states(), ['never_seen', 'never_seen', '0']);
  assert.equal((await poll()).status, 200);
  assert.equal((await stream.next('node', 'kiosk-1')).change, 'online');
  clock.advance(MINUTE_MS - 5_000);
  assert.deepEqual(await states(), ['online', 'online', '1']);

  clock.advance(6_000);
  assert.equal((await stream.next('node', 'kiosk-1')).change, 'offline');
  assert.deepEqual(await states(), ['offline', 'offline', '0']);

  assert.equal((await poll()).status, 200);
  assert.equal((await stream.next('node', 'kiosk-1')).change, 'online');
});

test('a node that polls stays online while the controller has no broker', async (t) => {
  const { muster, url, people, addNode, call } = await startPollingInstallation(t);
  const token = await addNode('kiosk-1');
  const stream = await openEvents(t, { url, token: people.owner, query: '?types=node' });

  await muster.core.link.stop();
  await call('GET', '/api/actions/pending?machine_id=kiosk-1', { token });

  assert.equal((await stream.next('node', 'kiosk-1')).change, 'online');
});
