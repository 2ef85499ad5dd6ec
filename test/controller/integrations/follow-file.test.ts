import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { createClient } from '../../../cli/client.js';
import { ControllerConfig } from '../../../controller/config.js';
import { AuditView } from '../../../controller/http/audit-schemas.js';
import { IntegrationView } from '../../../controller/http/integration-schemas.js';
import { InvocationAnswer } from '../../../controller/http/schemas.js';
import { startController } from '../../../controller/start.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { startStandIn } from '../../support/stand-in.js';
import { storeSetting } from '../../support/store-place.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

test('a file of adapters that changes is taken without a restart, and a faulty one changes nothing and is told of', async (t) => {
  const { write, reload, actions, audited } = await startSite(t, fileOf('/a'));
  assert.deepEqual(await actions(), ['find']);

  write('v: 1\nadapters: [{name: tickets}]');
  await until(async () => (await audited('integrations_file_refused')).length === 1, { what: 'the faulty file' });
  assert.deepEqual(await actions(), ['find']);
  const [refused] = await audited('integrations_file_refused');
  assert.match(String(refused?.details.faults), /base_url/);

  write(fileOf('/a', '/b'));
  reload();
  await until(async () => (await actions()).length === 2, { what: 'the new action' });
  assert.equal((await audited('integrations_file_changed')).length, 1);
});

test('promise 19: what waits and would do something else by the new file is not done', async (t) => {
  const { write, reload, actions, client, service } = await startSite(t, fileOf('/a'));
  const body = { action: 'find', target: { integration: 'tickets' } };
  const waits = {
    v: 1,
    distinct_approver: true,
    risks: [{ actions: ['tickets/*'], kind: 'integration', risk: 'write' }],
  };
  await client.call(z.unknown(), { method: 'PUT', path: '/policy', body: waits, headers: { 'if-match': '*' } });
  const { invocation } = await client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body });
  assert.equal(invocation.status, 'pending');
  const approvable = { v: 1, risks: waits.risks };
  await client.call(z.unknown(), { method: 'PUT', path: '/policy', body: approvable, headers: { 'if-match': '*' } });

  write(fileOf('/other', '/b'));
  reload();
  await until(async () => (await actions()).length === 2, { what: 'the new file' });
  const approve = {
    method: 'POST' as const,
    path: `/invocations/${invocation.id}/approve`,
    body: { digest: invocation.digest },
  };

  await assert.rejects(client.call(z.unknown(), approve), /has changed since it was asked/);
  assert.equal(service.requests.length, 0);
});

/** An adapter whose actions read below these paths; the second one is called `look`. */
function fileOf(...paths: readonly string[]): string {
  const actions = paths.map((path, at) => `      - {name: ${at === 0 ? 'find' : 'look'}, risk: read, path: ${path}}`);
  const head = ['v: 1', 'adapters:', '  - name: tickets', '    base_url: http://127.0.0.1:1', '    test: /me'];
  return [...head, '    actions:', ...actions].join('\n');
}

async function startSite(t: TestContext, text: string) {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'adapters.yaml');
  const write = (next: string): void => writeFileSync(file, `${next}\n`);
  write(text);
  const settings = { data_dir: join(directory, 'controller'), port: 0, integrations_file: file };
  const config = ControllerConfig.parse({ ...settings, ...(await storeSetting(t)) });
  const log = createLogger('controller', { level: 'silent' });
  const controller = await startController({ config, log, clock: SYSTEM_CLOCK });
  t.after(() => controller.stop(AbortSignal.abort()));
  const client = createClient({ url: controller.url, token: controller.ownerToken ?? '' });
  const service = await startStandIn(t, () => ({ json: {} }));
  const credential = { provider: 'stored', token: 'the-token-of-it' };
  const body = { adapter: 'tickets', base_url: service.url, credential };
  await client.call(z.unknown(), { method: 'POST', path: '/integrations', body });
  return {
    ...{ write, client, service, reload: controller.reload ?? (() => assert.fail('nothing to reload')) },
    async actions() {
      const [view] = await client.list(IntegrationView, { path: '/integrations' });
      return view?.actions.map(({ name }) => name) ?? [];
    },
    audited: (event: string) => client.list(AuditView, { path: '/audit', query: { event } }),
  };
}
