import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimDataDir, makeDataDir } from '../../runtime/data-dir.js';
import { assertRejectsCode, assertThrowsCode } from '../support/assert-code.js';
import { startChild, startChildWith } from '../support/child.js';
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
  const holder = startChild(t, './lock-holder-child.ts', [directory]);
  assert.equal(await holder.message(), 'claimed');
  await assertRejectsCode(claimDataDir(directory), 'already_running');

  holder.child.kill('SIGKILL');
  assert.equal((await holder.ended).signal, 'SIGKILL');

  await (await claimDataDir(directory)).release();
});

test('of many that claim a directory at once, after one that is gone, exactly one gets it', async (t) => {
  const directory = temporaryDirectory(t);
  for (let round = 0; round < 40; round += 1) {
    const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claimDataDir(directory)));
    const held = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value] : []));
    for (const { release } of held) await release();
    assert.equal(held.length, 1, `round ${round}`);
    for (const claim of claims) if (claim.status === 'rejected') assert.equal(claim.reason.code, 'already_running');
  }
  assert.ok(readdirSync(join(directory, 'lock')).length <= 3, 'what is left over is tidied away');
});

test('of processes that take over from a killed one at once, exactly one gets the directory', async (t) => {
  const directory = temporaryDirectory(t);
  for (let round = 0; round < 2; round += 1) {
    const racers = Array.from({ length: 3 }, () => startChild(t, './lock-holder-child.ts', [directory]));
    const said = await Promise.all(
      racers.map((racer) => Promise.race([racer.message(), racer.ended.then(({ stderr }) => stderr)])),
    );
    for (const { child } of racers) child.kill('SIGKILL');
    await Promise.all(racers.map(({ ended }) => ended));
    assert.equal(said.filter((word) => word === 'claimed').length, 1, String(said));
    for (const word of said) if (word !== 'claimed') assert.match(String(word), /already_running/);
  }
});

test('a holder that is stopped holds on', async (t) => {
  const directory = temporaryDirectory(t);
  const holder = startChild(t, './lock-holder-child.ts', [directory]);
  assert.equal(await holder.message(), 'claimed');

  holder.child.kill('SIGSTOP');

  await assertRejectsCode(claimDataDir(directory), 'already_running');
});

test('a directory is held in every network namespace', async (t) => {
  const directory = temporaryDirectory(t);
  const own = process.geteuid?.() === 0 ? ['--net'] : ['--user', '--map-current-user', '--net'];
  if (spawnSync('unshare', [...own, '--', 'true']).status !== 0) return t.skip('network namespaces cannot be made');
  const { release } = await claimDataDir(directory);
  t.after(release);
  const elsewhere = startChildWith(t, {
    file: './lock-holder-child.ts',
    args: [directory],
    env: {},
    wrap: ['unshare', ...own, '--'],
  });

  const { code, stderr } = await elsewhere.ended;

  assert.equal(code, 1);
  assert.match(stderr, /already_running/);
});

test('who may not enter the directory cannot keep its owner out', async (t) => {
  const directory = temporaryDirectory(t);
  const { dev, ino } = statSync(directory, { bigint: true });
  const squatter = createServer().listen({ path: `\0muster-${dev}-${ino}` }); // anybody may make such a name
  t.after(() => squatter.close());
  await once(squatter, 'listening');

  const { release } = await claimDataDir(directory);
  t.after(release);

  assert.equal(statSync(join(directory, 'lock')).mode & 0o777, 0o700);
});

test('what another release or a killed process left there does not keep anybody out', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'lock'), { mode: 0o755 });
  for (const name of ['lock.sock', 'lock/7', 'lock/claim-x', 'lock/other']) writeFileSync(join(directory, name), '');

  const { release } = await claimDataDir(directory);
  t.after(release);

  assert.deepEqual(readdirSync(join(directory, 'lock')).sort(), ['7', '8', 'other']);
  assert.equal(statSync(join(directory, 'lock')).mode & 0o777, 0o700);
});

test('a directory can be locked however long its path is', async (t) => {
  const directory = join(temporaryDirectory(t), 'x'.repeat(120));
  const { release } = await claimDataDir(directory);
  t.after(release);

  await assertRejectsCode(claimDataDir(directory), 'already_running');
});

test('the owner of a directory can lock it after root has', async (t) => {
  if (process.geteuid?.() !== 0) return t.skip('only root can lock the directory of another user');
  const directory = temporaryDirectory(t);
  chownSync(directory, 65_534, 65_534);
  await (await claimDataDir(directory)).release();

  process.seteuid?.(65_534);
  try {
    await (await claimDataDir(directory)).release();
  } finally {
    process.seteuid?.(0);
  }
});

test('what is no directory, or may not be entered, is unusable', (t) => {
  const parent = temporaryDirectory(t);
  writeFileSync(join(parent, 'file'), '');
  assertThrowsCode(() => makeDataDir(join(parent, 'file')), 'data_dir_unusable');
  assertThrowsCode(() => makeDataDir(join(parent, 'file', 'below')), 'data_dir_unusable');
  assertThrowsCode(() => makeDataDir('/proc/muster'), 'data_dir_unusable');
  if (process.getuid?.() === 0) return; // root may write everywhere
  chmodSync(parent, 0o500);
  try {
    assertThrowsCode(() => makeDataDir(join(parent, 'new')), 'data_dir_unusable');
  } finally {
    chmodSync(parent, 0o700); // else it cannot be removed
  }
});
