import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../cli/client.js';
import { ActionView, ExecutionView, InvocationAnswer, NodeDetail, pageOf } from '../../controller/http/schemas.js';
import { writeHook } from '../support/hooks.js';
import { startInstallation } from '../support/installation.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

const Actions = pageOf(ActionView);

test('a hook that runs is ended by a cancel, and nothing of it is left (P-87)', async (t) => {
  const directory = temporaryDirectory(t);
  const pidFile = join(directory, 'pid');
  const { client } = await startWithHook(t, directory, `#!/bin/sh\necho started\necho $$ > ${pidFile}\nsleep 600\n`);
  const id = await ask(client, { action: 'work', target: { nodes: ['node-1'] } });
  const pid = await until(() => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0) || undefined, {
    what: 'the hook runs',
  });

  const { invocation, executions } = await cancel(client, id);

  assert.equal(invocation.status, 'cancelled');
  const [execution] = executions ?? [];
  assert.deepEqual([execution?.status, execution?.launched, execution?.stdout], ['cancelled', 'yes', 'started\n']);
  assert.equal(existsSync(`/proc/${pid}`), false);
  const { limits } = await client.call(NodeDetail, { path: '/nodes/node-1' });
  assert.match(String(limits.process_isolation), /^(cgroup|pid_namespace|process_group)$/);
});

test('what waits for its turn in a spread broadcast never starts once it is cancelled', async (t) => {
  const directory = temporaryDirectory(t);
  const ledger = join(directory, 'ledger');
  const { client } = await startWithHook(t, directory, `#!/bin/sh\necho $$ >> ${ledger}\n`);
  const id = await ask(client, { action: 'work', target: { fleet: true }, spread: '10m', expires_in: '1h' });
  await until(async () => (await executionsOf(client, id)).every(({ status }) => status === 'accepted'), {
    what: 'the nodes have it',
  });

  const { invocation, executions } = await cancel(client, id);

  assert.equal(invocation.status, 'cancelled');
  assert.deepEqual(
    executions?.map(({ status, launched }) => [status, launched]),
    [['cancelled', 'no']],
  );
  assert.equal(existsSync(ledger), false);
});

async function startWithHook(t: Parameters<typeof startInstallation>[0], directory: string, script: string) {
  writeHook(directory, 'work', script);
  const installation = await startInstallation(t, { agent: { hooks_dir: directory } });
  const isThere = async () =>
    (await installation.client.call(Actions, { path: '/actions' })).items.some(({ name }) => name === 'work');
  await until(isThere, {
    what: 'the hook is announced',
  });
  return installation;
}

async function ask(client: Client, body: Readonly<Record<string, unknown>>): Promise<string> {
  return (await client.call(InvocationAnswer, { method: 'POST', path: '/invocations', body })).invocation.id;
}

function cancel(client: Client, id: string): Promise<InvocationAnswer> {
  return client.call(InvocationAnswer, {
    method: 'POST',
    path: `/invocations/${id}/cancel`,
    body: { reason: 'wrong site' },
    waitSeconds: 20,
  });
}

async function executionsOf(client: Client, id: string): Promise<readonly ExecutionView[]> {
  return client.list(ExecutionView, { path: `/invocations/${id}/executions` });
}
