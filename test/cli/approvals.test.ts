import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOf, spawnMuster, startTestController, type TestController } from '../support/muster.js';
import { until } from '../support/until.js';

const PRIME = { name: 'prime', description: 'changes something', parameters: [] };

test('S-A-36: an operator asks on the command line, an admin sees what waits and approves it', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1', { runs: true, actions: [PRIME] });
  const ann = await tokenOf(controller, 'ann', 'operator');
  const as = (token: string) => ({ MUSTER_DATA: controller.dataDir, MUSTER_TOKEN: token });

  const run = endOf(spawnMuster(t, ['run', 'prime', '--node', 'pump-1', '--reason', 'noise'], as(ann)));
  const id = await until(
    async () =>
      /^(\S{36}) +prime +\S+ pump-1 +1 +write +noise +ann/m.exec((await controller.muster('pending')).stdout)?.[1],
    { what: 'what waits' },
  );
  const own = await endOf(spawnMuster(t, ['approve', id], as(ann)));
  assert.deepEqual([own.exitCode, agent.offers.length], [77, 0]);
  const approved = await controller.muster('approve', id);

  assert.equal(approved.exitCode, 0, approved.stderr);
  assert.match(approved.stderr, /action: +prime\n/);
  const { exitCode, stdout, stderr } = await run;
  assert.deepEqual([exitCode, stdout], [0, 'done\npump-1: success, exit code 0, 5ms\n']);
  assert.match(stderr, new RegExp(`^It waits for an admin or an owner until \\S+Z: muster approve ${id}\n`));
  assert.match((await controller.muster('show', id)).stdout, /approved: +\S+Z by owner\n/);
  assert.equal((await controller.muster('pending')).stdout, 'Nothing waits.\n');
});

test('S-A-36: what is denied ends the run that waits for it with 1 and the reason', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { actions: [PRIME] });
  const ann = await tokenOf(controller, 'ann', 'operator');
  const env = { MUSTER_DATA: controller.dataDir, MUSTER_TOKEN: ann };
  const run = endOf(spawnMuster(t, ['run', 'prime', '--node', 'pump-1'], env));
  const id = await until(async () => /^(\S{36}) +prime /m.exec((await controller.muster('pending')).stdout)?.[1], {
    what: 'what waits',
  });

  const denied = await controller.muster('deny', id, '--reason', 'not on a Friday');

  assert.equal(denied.stdout, `Denied ${id}.\n`);
  const { exitCode, stdout } = await run;
  assert.equal(exitCode, 1);
  assert.match(stdout, /not on a Friday/);
  assert.match((await controller.muster('show', id)).stdout, /status: +denied\n[\s\S]*error: +not on a Friday\n/);
  assert.equal((await controller.muster('approve', id)).exitCode, 1);
});

async function tokenOf(controller: TestController, user: string, role: string): Promise<string> {
  await controller.muster('user', 'create', user, '--role', role);
  return (await controller.muster('token', 'create', '--name', 'test', '--user', user)).stdout.trim();
}
