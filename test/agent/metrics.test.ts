import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAgentMetrics } from '../../agent/metrics.js';
import { codesOf } from '../../protocol/errors.js';
import { REJECTION_REASONS } from '../../protocol/messages/ack.js';
import { OUTCOMES } from '../../protocol/outcomes.js';

test('known label values stand at 0 from the start', async () => {
  const metrics = createAgentMetrics();
  metrics.offer(['ping']);

  const text = await metrics.registry.metrics();

  for (const reason of REJECTION_REASONS)
    assert.ok(text.includes(`muster_agent_acks_total{status="rejected",reason="${reason}"} 0`), reason);
  for (const code of codesOf('refusal'))
    assert.ok(text.includes(`muster_agent_messages_refused_total{code="${code}"} 0`), code);
  for (const status of OUTCOMES)
    assert.ok(text.includes(`muster_agent_executions_total{action="ping",status="${status}"} 0`), status);
});

test('what runs and how it ended is counted by action, and unknown names count as other', async () => {
  const metrics = createAgentMetrics();
  metrics.offer(['ping']);

  for (const action of ['ping', 'ping', 'x'.repeat(60)]) {
    metrics.started();
    metrics.ended(action, 'success', 0.2);
  }
  metrics.started();

  const text = await metrics.registry.metrics();
  assert.ok(text.includes('muster_agent_executions_total{action="ping",status="success"} 2'));
  assert.ok(text.includes('muster_agent_executions_total{action="other",status="success"} 1'));
  assert.ok(text.includes('muster_agent_execution_duration_seconds_count{action="ping"} 2'));
  assert.ok(text.includes('muster_agent_executions_active 1'));
  assert.ok(!text.includes('xxx'));
});
