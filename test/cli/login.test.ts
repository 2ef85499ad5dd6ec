import assert from 'node:assert/strict';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConnection } from '../../cli/installation.js';
import { ensureOwnerToken, principalOf } from '../../controller/identity/api-tokens.js';
import { openStore } from '../../controller/store/store.js';
import { claimDataDir } from '../../runtime/data-dir.js';
import { endOf, spawnMuster, startTestController } from '../support/muster.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const PASSWORD = 'correct horse battery';

test('people log in with a password, act with their role, and log out', async (t) => {
  const controller = await startTestController(t);
  await controller.startAgent('pump-1');
  const home = temporaryDirectory(t);
  const asOwner = { MUSTER_DATA: controller.dataDir };
  const muster = (args: readonly string[], settings: Readonly<Record<string, string>>, input = '') =>
    endOf(spawnMuster(t, args, settings, { input, cwd: home }));
  const asAnn = { HOME: home };

  const made = await muster(['user', 'create', 'ann', '--role', 'viewer', '--password'], asOwner, `${PASSWORD}\n`);
  assert.deepEqual([made.exitCode, made.stdout], [0, 'ann is viewer.\n'], made.stderr);

  const wrong = await muster(['login', '--url', controller.url, '--user', 'ann'], asAnn, 'wrong\n');
  assert.equal(wrong.exitCode, 77, wrong.stderr);
  const nothing = await muster(['login', '--url', controller.url, '--user', 'ann'], asAnn);
  assert.equal(nothing.exitCode, 2);
  const login = await muster(['login', '--url', controller.url, '--user', 'ann'], asAnn, `${PASSWORD}\n`);
  assert.equal(login.exitCode, 0, login.stderr);
  assert.match(login.stderr, /^Logged in to \S+ as ann \(viewer\) until \d{4}-/);
  const file = join(home, '.config/muster/cli.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);

  assert.match((await muster(['nodes'], asAnn)).stdout, /pump-1/);
  const asked = await muster(['run', 'ping', '--all'], asAnn);
  assert.deepEqual([asked.exitCode, asked.stdout], [77, '']);
  assert.match((await muster(['user', 'list'], asOwner)).stdout, /ann +viewer +yes +active/);

  const logout = await muster(['logout'], asAnn);
  assert.equal(logout.exitCode, 0, logout.stderr);
  assert.equal(existsSync(file), false);
  assert.equal((await muster(['nodes'], asAnn)).exitCode, 69);
});

test('a password does not cross a network in the clear', async (t) => {
  const { exitCode, stderr } = await endOf(spawnMuster(t, ['login', '--url', 'http://10.0.0.1:8080', '--user', 'ann']));

  assert.equal(exitCode, 2);
  assert.match(stderr, /Use https: 10\.0\.0\.1:8080 is not on this machine/);
});

test('a lost owner token is replaced on the controller’s machine, while the controller is stopped', async (t) => {
  const directory = temporaryDirectory(t);
  const controllerDir = join(directory, 'controller');
  mkdirSync(controllerDir);
  const store = await openStore(controllerDir);
  await ensureOwnerToken(store, 'default', Date.now());
  await store.close();
  const lock = await claimDataDir(controllerDir);
  const recover = () => endOf(spawnMuster(t, ['token', 'recover'], { MUSTER_DATA: directory }));

  assert.equal((await recover()).exitCode, 69);
  await lock.release();
  const { exitCode, stderr } = await recover();

  assert.equal(exitCode, 0, stderr);
  const again = await openStore(controllerDir);
  t.after(again.close);
  const { id, role } = (await principalOf(again, readConnection(directory).token, Date.now())) ?? {};
  assert.deepEqual({ id, role }, { id: 'owner', role: 'owner' });
});

test('tokens are made, listed and deleted, and end at once', async (t) => {
  const controller = await startTestController(t);

  const { stdout: made } = await controller.muster('token', 'create', '--name', 'reader', '--role', 'viewer');
  const token = made.trim();
  const listed = await controller.muster('token', 'list');
  const [, id = ''] = /^(\w{16}) +owner +viewer +reader/m.exec(listed.stdout) ?? [];
  const me = () => controller.muster('nodes', '--url', controller.url, '--token', token);

  assert.match(token, /^mst_\w+$/);
  assert.ok(!listed.stdout.includes(token));
  assert.equal((await me()).exitCode, 0);
  assert.equal((await controller.muster('token', 'delete', id)).stdout, `Deleted ${id}.\n`);
  assert.equal((await me()).exitCode, 77);
  assert.equal((await controller.muster('token', 'delete', id)).exitCode, 1);
});
