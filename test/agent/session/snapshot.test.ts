import assert from 'node:assert/strict';
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

test('several executions that end together are told in one snapshot, and the next one comes 15 s later', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let sent = 0;
  const send = (): void => {
    sent += 1;
  };
  const snapshots = startSnapshots({ intervalMs: 3_600_000, send, random: () => 0 });
  t.after(snapshots.stop);

  snapshots.nudge();
  snapshots.nudge();
  t.mock.timers.tick(1);
  assert.equal(sent, 1);

  snapshots.nudge();
  t.mock.timers.tick(10_000);
  assert.equal(sent, 1);
  t.mock.timers.tick(5_000);
  assert.equal(sent, 2);
});

test('each node waits a time of its own after an execution, so that a fleet does not tell at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let sent = 0;
  const send = (): void => {
    sent += 1;
  };
  const snapshots = startSnapshots({ intervalMs: 3_600_000, send, random: () => 0.5 });
  t.after(snapshots.stop);

  snapshots.nudge();
  t.mock.timers.tick(7_000);
  assert.equal(sent, 0);
  t.mock.timers.tick(1_000);
  assert.equal(sent, 1);
});
