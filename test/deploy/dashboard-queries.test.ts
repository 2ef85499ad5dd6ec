import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { InvocationAnswer, NodeView } from '../../controller/http/schemas.js';
import { FLEET_ROWS } from '../../deploy/grafana/panels.js';
import { findCommand } from '../support/commands.js';
import { startInstallation } from '../support/installation.js';
import { startPrometheus } from '../support/prometheus.js';
import { until } from '../support/until.js';

const PROMETHEUS = findCommand('prometheus');
const NO_PROMETHEUS = PROMETHEUS === undefined ? 'prometheus is not installed' : false;

/** What Grafana fills in, with everything chosen. */
const FILLED_IN: readonly (readonly [string, string])[] = [
  ['$__rate_interval', '1m'],
  ['$job', '.+'],
  ['$instance', '.+'],
];

/** Panels that show something only after somebody did what they should not. */
const QUIET = ['Messages refused by agents', 'Messages refused by the controller', 'Denials'];
const QUIET_LEGENDS = ['rejected: {{reason}}'];

function fillIn(expr: string): string {
  return FILLED_IN.reduce((text, [name, value]) => text.replaceAll(name, value), expr);
}

test('every query of the dashboard works, and shows what an agent ran', { skip: NO_PROMETHEUS }, async (t) => {
  const { client, metricsPorts } = await startInstallation(t);
  const prometheus = await startPrometheus(t, PROMETHEUS ?? '', metricsPorts);
  await until(async () => (await prometheus.query('up == 1')).length === 3, {
    what: 'Prometheus scrapes the three parts',
    deadlineMs: 30_000,
  });
  await until(
    async () =>
      (await client.list(NodeView, { path: '/nodes' })).some((node) => node.builtin_actions.includes('gather_info')),
    { what: 'the node has announced its actions' },
  );

  const { invocation } = await client.call(InvocationAnswer, {
    method: 'POST',
    path: '/invocations',
    body: { action: 'gather_info', target: { fleet: true } },
    headers: { 'idempotency-key': randomUUID() },
    waitSeconds: 15,
  });
  assert.equal(invocation.status, 'completed');

  for (const { title, queries } of FLEET_ROWS.flatMap(({ panels }) => panels)) {
    for (const { expr, legend } of queries) {
      const ask = () => prometheus.query(fillIn(expr));
      if (QUIET.includes(title) || QUIET_LEGENDS.includes(legend)) await ask();
      else await until(async () => (await ask()).length > 0, { what: `${title} shows something: ${expr}` });
    }
  }
  await until(
    async () =>
      (await prometheus.query('increase(muster_agent_executions_total{action="gather_info",status="success"}[1m]) > 0'))
        .length > 0,
    { what: 'the first execution of an action shows in a rate' },
  );
  const [ran] = await prometheus.query(
    'muster_agent_execution_duration_seconds_count{job="muster-agent",action="gather_info"}',
  );
  assert.equal(ran?.value[1], '1');
});
