import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { startHttp } from '../../../controller/http/start-http.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { assertRejectsCode } from '../../support/assert-code.js';
import { startTestHttp } from '../../support/http.js';
import { createScriptedServices } from '../../support/scripted-services.js';

const OpenApi = z.looseObject({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), z.looseObject({ summary: z.string(), responses: z.unknown() }))),
  components: z.looseObject({ schemas: z.record(z.string(), z.unknown()) }),
});

test('the OpenAPI 3.1 document names every resource, and every reference in it leads somewhere', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);

  const document = OpenApi.parse(await (await fetch(`${url}/openapi.json`)).json());

  assert.equal(document.openapi, '3.1.0');
  assert.deepEqual(Object.keys(document.paths['/api/v1/invocations'] ?? {}).sort(), ['get', 'post']);
  assert.ok(document.paths['/api/v1/invocations/{id}/executions/{node}/output']?.get);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
  assert.ok(references.length > 0);
  for (const [, name = ''] of references) assert.ok(Object.hasOwn(document.components.schemas, name), name);
});

test('every operation of the API says how it fails', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);
  const { paths } = OpenApi.parse(await (await fetch(`${url}/openapi.json`)).json());

  for (const [path, operations] of Object.entries(paths)) {
    if (!path.startsWith('/api/')) continue;
    for (const { summary, responses } of Object.values(operations)) {
      // The queue for nodes that poll has failures of its own form (F-21).
      const failure = path.startsWith('/api/actions/') ? /"default":\{.*"error"/ : /application\/problem\+json/;
      assert.match(JSON.stringify(responses), failure, summary);
    }
  }
});

test('the page to try the API at loads nothing from elsewhere', async (t) => {
  const { url } = await startTestHttp(t, createScriptedServices().services);

  const page = await fetch(`${url}/docs/`);

  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self';/);
  assert.doesNotMatch(await page.text(), /(src|href)="(https?:)?\/\//);
  assert.equal((await fetch(`${url}/docs/static/swagger-ui-bundle.js`)).status, 200);
});

test('health, readiness and metrics need no token', async (t) => {
  let reason: string | undefined = 'the broker is not connected';
  const { url } = await startTestHttp(t, createScriptedServices({ notReady: () => reason }).services);

  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const waiting = await fetch(`${url}/readyz`);
  assert.deepEqual([waiting.status, await waiting.text()], [503, 'the broker is not connected\n']);
  reason = undefined;
  assert.equal((await fetch(`${url}/readyz`)).status, 200);
  const metrics = await fetch(`${url}/metrics`);
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.match(await metrics.text(), /^muster_controller_nodes 0$/m);
});

test('a port that is taken, and an address that is not ours, are refused with a code', async (t) => {
  const { services } = createScriptedServices();
  const { port } = await startTestHttp(t, services);
  const log = createLogger('controller', { level: 'silent' });

  const start = (host: string, on: number): Promise<unknown> =>
    startHttp({ services, config: { host, port: on, max_http_connections: 100 }, log, clock: SYSTEM_CLOCK });

  await assertRejectsCode(start('127.0.0.1', port), 'port_in_use');
  await assertRejectsCode(start('192.0.2.1', 0), 'config_invalid');
});
