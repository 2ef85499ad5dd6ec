import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { SandboxView } from '../../controller/http/sandbox-schemas.js';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { OWNER } from '../support/core.js';
import { runMuster, startTestController } from '../support/muster.js';
import { makeSandbox } from '../support/sandboxes.js';
import { startStandIn } from '../support/stand-in.js';

test('a sandbox is made, listed, shown, paused, given another token and deleted on the command line', async (t) => {
  const controller = await startTestController(t);
  const muster = (line: string) => controller.muster(...line.split(' '));

  const made = await muster(
    'sandbox create ci --group pumps --node a,b --action gather_* --action ping --expires-in 1h',
  );
  const listed = await muster('sandbox list --json');
  const { items } = z.object({ items: z.array(SandboxView) }).parse(JSON.parse(listed.stdout));
  const { id = '', connections } = items[0] ?? {};
  const [shown, paused, replaced] = await Promise.all([
    muster(`sandbox show ${id}`),
    muster(`sandbox pause ${id}`),
    muster(`sandbox token ${id}`),
  ]);
  const deleted = await muster(`sandbox delete ${id}`);

  assert.match(made.stdout, /^msb_[a-z0-9]+_[a-f0-9]+\n$/, made.stderr);
  assert.match(made.stderr, /^ci is [0-9a-f-]{36}\. Its token:\n$/);
  assert.deepEqual(
    connections?.map(({ id: _, ...connection }) => connection),
    [
      { target: { nodes: ['a', 'b'] }, actions: ['gather_*', 'ping'] },
      { target: { group: 'pumps' }, actions: ['gather_*', 'ping'] },
    ],
  );
  assert.doesNotMatch(listed.stdout + shown.stdout, /msb_/);
  assert.match(shown.stdout, /nodes a, b +gather_\* ping[\s\S]*group pumps/);
  assert.equal(paused.stdout, 'ci is paused.\n');
  assert.match(replaced.stdout, /^msb_/);
  assert.notEqual(replaced.stdout, made.stdout);
  assert.equal(deleted.stdout, `Deleted ${id}.\n`);
});

test('S-A-36: a program asks with muster run and the token of its sandbox, and what it may not ends with 77', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true });
  await controller.startAgent('valve-1', { runs: true });
  const { token } = await makeSandbox(controller.core, 'ci', [{ target: { nodes: ['pump-1'] }, actions: ['*'] }]);
  const env = { MUSTER_URL: controller.url, MUSTER_TOKEN: token };
  const muster = (line: string) => runMuster(t, line.split(' '), env);

  const [read, nodes, beyond, denied] = await Promise.all([
    muster('run ping --node pump-1 --json'),
    muster('nodes'),
    muster('run ping --node valve-1'),
    muster('sandbox list'),
  ]);

  assert.equal(read.exitCode, 0, read.stderr);
  assert.match(InvocationAnswer.parse(JSON.parse(read.stdout)).invocation.created_by, /^sandbox:/);
  assert.match(nodes.stdout, /pump-1/);
  assert.doesNotMatch(nodes.stdout, /valve-1/);
  assert.deepEqual([beyond.exitCode, denied.exitCode], [1, 77]);
  assert.match(beyond.stderr, /No node valve-1 is enrolled/);
});

test('a program asks an integration with the token of its sandbox, each value in the type that the action names', async (t) => {
  const controller = await startTestController(t);
  const linear = await startStandIn(t, () => ({ json: { data: { issues: { nodes: [] } } } }));
  await controller.core.core.services.integrations.add(OWNER, {
    ...{ adapter: 'linear', base_url: linear.url, credential: { provider: 'stored', token: 'the-token-of-it' } },
  });
  const { token } = await makeSandbox(controller.core, 'ai', [{ integration: 'linear', actions: ['list_*'] }]);
  const env = { MUSTER_URL: controller.url, MUSTER_TOKEN: token };

  const { exitCode, stderr } = await runMuster(t, ['run', 'linear/list_issues', 'team=1', 'limit=10'], env);

  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(Object(linear.last().body).variables, { filter: { team: { id: { eq: '1' } } }, first: 10 });
});
