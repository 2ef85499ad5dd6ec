import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestController } from '../support/muster.js';
import { until } from '../support/until.js';

test('muster cancel says how far it has come, and show who wanted it', async (t) => {
  const controller = await startTestController(t);
  const agent = await controller.startAgent('pump-1');
  const asked = await controller.muster('run', 'ping', '--node', 'pump-1', '--yes', '--detach');
  const id = asked.stdout.trim();
  const offered = await agent.nextOffer();
  await agent.ack(offered);
  await until(async () => (await controller.muster('invocations')).stdout.includes('executing'), { what: 'it runs' });

  const first = await controller.muster('cancel', id, '--reason', 'wrong site');
  await agent.result(offered, { status: 'cancelled', exit_code: -1, launched: 'yes' });
  await until(async () => (await controller.muster('show', id)).stdout.includes('launched: yes'), { what: 'its end' });
  const again = await controller.muster('cancel', id);

  assert.equal(first.exitCode, 0);
  assert.equal(
    first.stdout,
    `${id} is to be cancelled; 1 of 1 nodes have not answered yet. Look with: muster show ${id}\n`,
  );
  assert.match((await controller.muster('show', id)).stdout, /\ncancelled: +\d{4}-\S+Z by owner\n/);
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /The invocation has ended already: it is cancelled \[conflict\]/);
});
