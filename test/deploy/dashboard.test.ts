import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { createAgentMetrics } from '../../agent/metrics.js';
import { createBrokerMetrics } from '../../broker/metrics.js';
import { createControllerMetrics } from '../../controller/metrics.js';
import { renderFleetDashboard } from '../../deploy/grafana/build-dashboard.js';
import { FLEET_ROWS } from '../../deploy/grafana/panels.js';

const GRAFANA = new URL('../../deploy/grafana/', import.meta.url);

const DatasourceRef = z.object({ type: z.literal('prometheus'), uid: z.literal('$datasource') });
const PanelJson = z.object({
  id: z.int().min(1),
  type: z.string(),
  title: z.string().min(1),
  description: z.string().optional(),
  datasource: DatasourceRef.optional(),
  fieldConfig: z.object({ defaults: z.object({ unit: z.string().min(1) }) }).optional(),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
  targets: z
    .array(z.object({ refId: z.string(), expr: z.string(), datasource: DatasourceRef, legendFormat: z.string() }))
    .optional(),
});
const DashboardJson = z.object({
  uid: z.string(),
  editable: z.literal(false),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), refresh: z.int().optional() })),
  }),
  panels: z.array(PanelJson),
});

const DASHBOARD = DashboardJson.parse(JSON.parse(renderFleetDashboard()));
const CHARTS = DASHBOARD.panels.filter(({ type }) => type !== 'row');
const QUERIES = FLEET_ROWS.flatMap(({ panels }) => panels).flatMap(({ queries }) => queries);

test('the committed dashboard is what the script builds', () => {
  const committed = readFileSync(new URL('dashboards/fleet.json', GRAFANA), 'utf8');

  assert.equal(committed, renderFleetDashboard(), 'run: npm run generate');
});

test('each panel has a title, a description, a unit and a query on the chosen data source', () => {
  for (const { title, description, datasource, fieldConfig, targets } of CHARTS) {
    assert.ok((description ?? '').length > 20, `${title}: no description`);
    assert.ok(datasource !== undefined && fieldConfig !== undefined, `${title}: no data source or unit`);
    assert.ok((targets ?? []).length > 0, `${title}: no query`);
  }
});

test('panel ids and titles are unique and no two panels overlap', () => {
  const cells = new Set<string>();
  for (const { gridPos, title } of DASHBOARD.panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, `${title}: wider than the dashboard`);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        assert.ok(!cells.has(`${x},${y}`), `${title}: overlaps at ${x},${y}`);
        cells.add(`${x},${y}`);
      }
    }
  }
  assert.equal(new Set(DASHBOARD.panels.map(({ id }) => id)).size, DASHBOARD.panels.length);
  assert.equal(new Set(CHARTS.map(({ title }) => title)).size, CHARTS.length);
});

test('data source, part and instance can be chosen, and follow the time range', () => {
  const variables = DASHBOARD.templating.list.map(({ name, type, refresh }) => ({ name, type, refresh }));

  assert.deepEqual(variables, [
    { name: 'datasource', type: 'datasource', refresh: undefined },
    { name: 'job', type: 'query', refresh: 2 },
    { name: 'instance', type: 'query', refresh: 2 },
  ]);
});

test('each query is held to the chosen part and instance, and counters appear as rates only', () => {
  for (const { expr } of QUERIES) {
    for (const [selector, name] of expr.matchAll(/(muster_\w+)(\{[^}]*\})?/g)) {
      assert.match(selector, /\{job=~"\$job",instance=~"\$instance"/, expr);
      if (!/_(total|bucket)$/.test(name ?? '')) continue;
      assert.match(expr, new RegExp(`(rate|increase)\\(${name}\\{[^}]*\\}\\[\\$__rate_interval\\]\\)`), expr);
    }
  }
});

test('each metric of the dashboard and of the alerts is one that a part exposes', async () => {
  const broker = await createBrokerMetrics({ clients: () => 0 }).render();
  const controller = await createControllerMetrics({
    openByStatus: () => ({ held: 0, queued: 0, sent: 0, accepted: 0 }),
    nodes: () => ({ online: 0, offline: 0 }),
    brokerConnected: () => true,
    suspended: () => false,
    approvalsPending: async () => 0,
    grantsActive: async () => 0,
  }).render();
  const agent = await createAgentMetrics().registry.metrics();
  const exposed = new Set(
    [...`${broker.body}${controller.body}${agent}`.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name),
  );

  const rules = readFileSync(new URL('../prometheus/rules.yml', GRAFANA), 'utf8');
  for (const [name] of `${JSON.stringify(QUERIES)}${rules}`.matchAll(/\bmuster_(agent|broker|controller)_\w+/g)) {
    assert.ok(exposed.has(name.replace(/_bucket$/, '')), `no part exposes ${name}`);
  }
});

test('the provisioned data source and folder are the ones that the dashboard expects', () => {
  const provisioned = (file: string): unknown => parse(readFileSync(new URL(`provisioning/${file}`, GRAFANA), 'utf8'));
  const { datasources } = z
    .object({ datasources: z.array(z.object({ type: z.string(), uid: z.string(), url: z.url() })) })
    .parse(provisioned('datasources/prometheus.yml'));
  const { providers } = z
    .object({ providers: z.array(z.object({ folder: z.string(), allowUiUpdates: z.literal(false) })) })
    .parse(provisioned('dashboards/muster.yml'));

  assert.deepEqual(datasources, [{ type: 'prometheus', uid: 'muster-prometheus', url: 'http://prometheus:9090' }]);
  assert.deepEqual(providers, [{ folder: 'Muster', allowUiUpdates: false }]);
});
