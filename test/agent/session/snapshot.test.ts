import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { createAgentMetrics } from '../../../agent/metrics.js';
import { metricsSnapshot, startSnapshots } from '../../../agent/session/snapshot.js';
import { Metrics } from '../../../protocol/messages/metrics.js';

test('a snapshot has each series that is not zero, under the names of /metrics', async () => {
  const metrics = createAgentMetrics();
  metrics.offer(['gather_info']);
  metrics.started();
  metrics.ended('gather_info', 'success', 0.02);

  const { samples, ...about } = Metrics.parse(JSON.parse(await metricsSnapshot(metrics.registry, 'node-1', 0)));

  assert.deepEqual(about, { v: 1, node: 'node-1', at: '1970-01-01T00:00:00.000Z' });
  const served = (await metrics.registry.metrics()).split('\n').filter((line) => /^[a-z].* (?!0$)/.test(line));
  const told = samples.map(({ name, labels, value }) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
  });
  assert.deepEqual(told.sort(), served.sort());
  assert.ok(told.includes('muster_agent_execution_duration_seconds_bucket{le="0.05",action="gather_info"} 1'));
});

test('several executions that end together are told in one snapshot', async (t) => {
  let sent = 0;
  const events = new EventEmitter();
  const send = (): void => {
    sent += 1;
    events.emit('sent');
  };
  const snapshots = startSnapshots({ intervalMs: 3_600_000, send, random: () => 0 });
  t.after(snapshots.stop);
  const held = setInterval(() => undefined, 1_000); // the timers of a snapshot keep no process alive
  t.after(() => clearInterval(held));

  const first = once(events, 'sent');
  snapshots.nudge();
  snapshots.nudge();
  await first;
  snapshots.nudge();
  await new Promise((turn) => setImmediate(turn));

  assert.equal(sent, 1);
});
