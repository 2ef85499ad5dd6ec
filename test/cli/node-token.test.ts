import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeTokenCreated } from '../../controller/http/polling-schemas.js';
import { startTestController } from '../support/muster.js';

test('a token of a node that polls is made, listed and deleted on the command line', async (t) => {
  const controller = await startTestController(t);
  const muster = (line: string) => controller.muster(...line.split(' '));

  const made = await muster('node-token create kiosk-7 --group kiosks --label site=north');
  const second = NodeTokenCreated.parse(JSON.parse((await muster('node-token create kiosk-7 --json')).stdout));
  const listed = await muster('node-token list');
  const deleted = await muster(`node-token delete ${second.id}`);
  const again = await muster(`node-token delete ${second.id}`);

  assert.deepEqual([made.exitCode, /^mnt_[a-z0-9]+_[A-Za-z0-9]+\n$/.test(made.stdout)], [0, true], made.stderr);
  assert.deepEqual([listed.exitCode, listed.stdout.match(/kiosk-7/g)?.length], [0, 2]);
  assert.doesNotMatch(listed.stdout, /mnt_/);
  assert.deepEqual([deleted.exitCode, deleted.stdout], [0, `Deleted ${second.id}.\n`]);
  assert.equal(again.exitCode, 1);
  assert.match((await muster('nodes')).stdout, /kiosk-7/);
});

test('a node with a key gets no token, and the reason is told', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1');

  const { exitCode, stderr } = await controller.muster('node-token', 'create', 'pump-1');

  assert.equal(exitCode, 1);
  assert.match(stderr, /There is a node pump-1 already, with a key \[node_id_taken\]/);
});
