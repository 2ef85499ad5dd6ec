import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invoke } from '../support/asks.js';
import { addManyResults } from '../support/many-results.js';
import { startTestController } from '../support/muster.js';

test('what very many nodes answered is shown by kinds of results, not node by node', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('a');
  const id = await invoke(controller.core.core.services.invocations, { nodes: ['a'] });
  await agent.result(await agent.nextOffer());
  await addManyResults(controller.core, id, 1_000);

  const { stdout, exitCode } = await controller.muster('show', id);

  assert.equal(exitCode, 0);
  assert.match(stdout, /^node-00000, node-00100, .*, node-00700 and 2 more: success, exit code 0\n {2}output 0\n/m);
  assert.match(stdout, /^There are more kinds of results than are shown/m);
  assert.match(stdout, /^COUNT +STATUS +EXIT +NOTE +NODES\n10 +success +0 +node-00000, /m);
  assert.match(stdout, /\n1001 of 1001 succeeded\n/);
  assert.ok(!stdout.includes('NODE  ') && stdout.length < 20_000);
});

test('a long output of many nodes is shown as far as their results hold it', async (t) => {
  const controller = await startTestController(t);
  const long = `${'x'.repeat(9_000)}\n`;
  const agents = [await controller.startAgent('a'), await controller.startAgent('b')];

  const running = controller.muster('run', 'ping', '--all');
  for (const agent of agents) await agent.result(await agent.nextOffer(), { stdout: long, stdout_bytes: long.length });

  const { stdout } = await running;
  assert.equal(stdout.split(long).length, 2);
  assert.ok(!stdout.includes('not all of'));
});

test('invocations are listed by state and time', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('a', { runs: true });
  await controller.muster('run', 'ping', '--node', 'a');

  const listed = await controller.muster('invocations', '--status', 'completed', '--since', '1h', '--node', 'a');
  const none = await controller.muster('invocations', '--status', 'failed,expired');
  const wrong = await controller.muster('invocations', '--status', 'great');

  assert.match(listed.stdout, /completed +ping +nodes a +1 of 1/);
  assert.equal(none.stdout, 'There is none such.\n');
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /query status/);
});
