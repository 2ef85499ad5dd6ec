import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimDataDir, makeDataDir } from '../../runtime/data-dir.js';
import { assertRejectsCode, assertThrowsCode } from '../support/assert-code.js';
import { startChild } from '../support/child.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('a data directory is made for its owner alone', (t) => {
  const path = join(temporaryDirectory(t), 'a', 'b');

  assert.equal(makeDataDir(path), path);

  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('two holders of one directory cannot be, until the first lets go', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await claimDataDir(directory);

  const { message } = await assertRejectsCode(claimDataDir(directory), 'already_running');
  assert.ok(message.includes(directory));

  await first.release();
  await (await claimDataDir(directory)).release();
});

test('a link to the directory is the same directory', async (t) => {
  const parent = temporaryDirectory(t);
  mkdirSync(join(parent, 'real'));
  symlinkSync(join(parent, 'real'), join(parent, 'link'));
  const first = await claimDataDir(join(parent, 'real'));
  t.after(() => first.release());

  await assertRejectsCode(claimDataDir(join(parent, 'link')), 'already_running');
});

test('another process is kept out, and its death by SIGKILL frees the directory', async (t) => {
  const directory = temporaryDirectory(t);
  const holder = startChild(t, './lock-holder.ts', [directory]);
  assert.equal(await holder.message(), 'claimed');
  await assertRejectsCode(claimDataDir(directory), 'already_running');

  holder.child.kill('SIGKILL');
  assert.equal((await holder.ended).signal, 'SIGKILL');

  await (await claimDataDir(directory)).release();
});

test('what is no directory, or may not be entered, is unusable', (t) => {
  const parent = temporaryDirectory(t);
  writeFileSync(join(parent, 'file'), '');
  assertThrowsCode(() => makeDataDir(join(parent, 'file')), 'data_dir_unusable');
  assertThrowsCode(() => makeDataDir(join(parent, 'file', 'below')), 'data_dir_unusable');
  assertThrowsCode(() => makeDataDir('/proc/muster'), 'data_dir_unusable');
  if (process.getuid?.() === 0) return; // root may write everywhere
  chmodSync(parent, 0o500);
  assertThrowsCode(() => makeDataDir(join(parent, 'new')), 'data_dir_unusable');
});
