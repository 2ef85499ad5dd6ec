import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { HookView } from '../../controller/http/schemas.js';
import type { HookSpec } from '../../protocol/messages/capabilities.js';
import { startTestController, type TestController } from '../support/muster.js';
import { PING, type ScriptedAgent } from '../support/scripted-agent.js';
import { until } from '../support/until.js';

const [A, B, C] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)] as const;
const Acceptances = z.strictObject({
  items: z.array(z.strictObject({ node: z.string(), name: z.string(), checksum: z.string(), outcome: z.string() })),
});

test('hooks are listed with both checksums, of all nodes, of one, or those that changed', async (t) => {
  const controller = await startTestController(t);
  assert.match((await controller.muster('hooks')).stdout, /^No node offers such a hook/);
  const sandboxed = { ...hook(A), name: 'boxed', sandbox: 'bubblewrap', network: true, writable: ['/srv'] };
  await controller.startAgent('pump-1', { hooks: [hook(A), sandboxed] });
  await withChanged(controller, 'pump-2', { groups: [], to: B });

  const { exitCode, stdout } = await controller.muster('hooks');

  assert.equal(exitCode, 0);
  assert.match(stdout, /^NODE +HOOK +STATE +CHECKSUM +PINNED +SANDBOX +FAULT\n/);
  assert.match(stdout, new RegExp(`^pump-1 +boxed +pinned +${A} +the same +bubblewrap network /srv +-$`, 'm'));
  assert.match(stdout, new RegExp(`^pump-2 +deploy +changed +${B} +${A} +none +-$`, 'm'));
  const listed = async (...args: string[]): Promise<string[]> =>
    z
      .strictObject({ items: z.array(HookView) })
      .parse(JSON.parse((await controller.muster('hooks', ...args, '--json')).stdout))
      .items.map(({ node, name }) => `${node}/${name}`);
  assert.deepEqual(await listed('pump-1'), ['pump-1/boxed', 'pump-1/deploy']);
  assert.deepEqual(await listed('--changed'), ['pump-2/deploy']);
  assert.deepEqual(await listed('--name', 'deploy'), ['pump-1/deploy', 'pump-2/deploy']);
});

test('a changed hook is accepted on a node, a group or by checksum, and once more is nothing', async (t) => {
  const controller = await startTestController(t);
  await withChanged(controller, 'pump-1', { groups: ['pumps'], to: B });
  await withChanged(controller, 'pump-2', { groups: ['pumps'], to: B });
  await withChanged(controller, 'valve-1', { groups: [], to: C });

  const group = await controller.muster('hooks', 'accept', 'deploy', '--group', 'pumps', '--json');
  const other = await controller.muster('hooks', 'accept', 'deploy', '--all', '--checksum', B);
  const named = await controller.muster('hooks', 'accept', 'deploy', '--node=valve-1', `--checksum=${C.toUpperCase()}`);
  const again = await controller.muster('hooks', 'accept', 'deploy', '--all');

  assert.deepEqual(
    Acceptances.parse(JSON.parse(group.stdout)).items,
    ['pump-1', 'pump-2'].map((node) => ({ node, name: 'deploy', checksum: B, outcome: 'accepted' })),
  );
  assert.equal(group.exitCode, 0);
  assert.equal(other.exitCode, 1);
  assert.match(other.stdout, new RegExp(`^valve-1 +deploy +another version +${C}$`, 'm'));
  assert.match(named.stdout, new RegExp(`^valve-1 +deploy +accepted +${C}$`, 'm'));
  assert.deepEqual([again.exitCode, again.stdout], [0, 'Nothing to accept: deploy is as it was pinned.\n']);
});

test('where changed versions differ one has to be named, and what does not exist is said', async (t) => {
  const controller = await startTestController(t);
  await withChanged(controller, 'pump-1', { groups: [], to: B });
  await withChanged(controller, 'pump-2', { groups: [], to: C });
  const failing = async (...args: string[]): Promise<[exitCode: number | null, stderr: string]> => {
    const { exitCode, stderr } = await controller.muster('hooks', 'accept', ...args);
    return [exitCode, stderr];
  };

  const [exitCode, stderr] = await failing('deploy', '--all');
  assert.equal(exitCode, 2);
  for (const text of ['2 changed versions', B, C]) assert.ok(stderr.includes(text), stderr);
  for (const [args, code, says] of [
    [['deploy', '--node=pump-1', '--checksum=abc'], 2, /64 digits/],
    [['deploy'], 2, /exactly one of --node/],
    [['deploy', '--node=pump-1,pump-3'], 1, /pump-3 does not offer/],
    [['other', '--all'], 1, /No selected node offers the hook other/],
    [['deploy', '--label=site=moon'], 1, /No selected node/],
  ] as const) {
    const [actual, text] = await failing(...args);
    assert.equal(actual, code, text);
    assert.match(text, says);
  }
  const { items } = await controller.core.core.services.hooks.list('default', { limit: 9, changed: 'true' });
  assert.equal(items.length, 2, 'nothing was accepted');
});

/** A node whose hook `deploy` was pinned as A and is another by now. */
async function withChanged(
  controller: TestController,
  node: string,
  { groups, to }: { groups: string[]; to: string },
): Promise<ScriptedAgent> {
  const agent = await controller.startAgent(node, { hooks: [hook(A)], groups });
  await agent.announceAs({ actions: [PING], hooks: [hook(to)] });
  const { hooks } = controller.core.core.services;
  await until(async () => (await hooks.list('default', { limit: 9, node, changed: 'true' })).items.length === 1, {
    what: 'the changed hook',
  });
  return agent;
}

function hook(checksum: string): HookSpec {
  return { name: 'deploy', description: '', parameters: [], source: 'local', checksum, sandbox: 'none' };
}
