import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../controller/store/store.js';
import { runMuster, startTestController } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('muster audit tells who did what, newest first and by subject', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1');
  await controller.muster('node', 'label', 'pump-1', '--set', 'site=north');

  const { stdout, exitCode } = await controller.muster('audit', '--subject', 'node:pump-1', '--event', 'node_changed');

  assert.equal(exitCode, 0);
  assert.match(
    stdout,
    /^SEQ +AT +ACTOR +EVENT +SUBJECT +DETAILS\n\d+ +\S+Z +owner +node_changed +node:pump-1 +groups= labels=\{"site":"north"\}\n$/,
  );
  const json = JSON.parse((await controller.muster('audit', '--limit', '2', '--json')).stdout);
  assert.deepEqual(
    json.items.map(({ event }: { event: string }) => event),
    ['node_changed', 'capabilities_changed'],
  );
  assert.equal((await controller.muster('audit', '--since', 'yesterday')).exitCode, 2);
});

test('muster verify says that everything holds, and with 1 what does not', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true });
  await controller.muster('run', 'ping', '--node', 'pump-1');

  const online = await controller.muster('verify');
  assert.equal(online.exitCode, 0, online.stdout + online.stderr);
  assert.match(
    online.stdout,
    /^checked: \d+ audit rows, \d+ access, 1 requests, 1 results, 1 executions, 1 invocations\ntrail: {3}(\d+:[0-9a-f]{64}) at \S+Z\nEverything holds\.\n$/,
  );
  const kept = /trail: {3}(\S+)/.exec(online.stdout)?.[1] ?? '';
  assert.equal((await controller.muster('verify', '--kept', kept, '--json')).exitCode, 0);
  const lost = await controller.muster('verify', '--kept', `1:${'a'.repeat(64)}`);
  assert.deepEqual([lost.exitCode, /not there, or not with the hash that you kept/.test(lost.stdout)], [1, true]);
  assert.equal((await controller.muster('verify', '--kept', 'latest')).exitCode, 2);
});

test('muster verify --offline reads a copy of the store, and finds what was done to it', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1', { runs: true });
  await controller.muster('run', 'ping', '--node', 'pump-1');
  await controller.core.stop();
  const copy = temporaryDirectory(t);
  mkdirSync(join(copy, 'controller'));
  for (const name of readdirSync(controller.core.directory).filter((each) => /^muster\.db|^public$/.test(each))) {
    cpSync(join(controller.core.directory, name), join(copy, 'controller', name), { recursive: true });
  }

  const clean = await runMuster(t, ['verify', '--offline', '--data', copy]);
  assert.deepEqual([clean.exitCode, clean.stdout.endsWith('Everything holds.\n')], [0, true], clean.stderr);
  const store = await openStore(join(copy, 'controller'));
  await store.write((tx) => tx.deleteFrom('audit').where('event', '=', 'execution_ended').execute());
  await store.close();

  const harmed = await runMuster(t, ['verify', '--offline', '--data', copy]);
  assert.equal(harmed.exitCode, 1);
  assert.match(harmed.stdout, /^audit_(head|chain) /m);
  const nothing = await runMuster(t, ['verify', '--offline', '--data', temporaryDirectory(t)]);
  assert.deepEqual([nothing.exitCode, /no store of a controller/.test(nothing.stderr)], [69, true]);
});
