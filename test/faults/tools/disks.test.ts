import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLoopDisk, lacksLoopDisk } from './loop-disk.js';
import { createSmallDisk, lacksSmallDisk } from './small-disk.js';

test('a power cut takes what was not synced, and leaves what was', async (t) => {
  const lacks = await lacksLoopDisk();
  if (lacks !== undefined) return t.skip(lacks);
  const directory = mkdtempSync(join(tmpdir(), 'muster-disk-'));
  const disk = await createLoopDisk({ image: join(directory, 'image'), path: join(directory, 'disk') });
  t.after(() => removeBoth(disk, directory));
  const synced = openSync(join(disk.path, 'synced'), 'w');
  writeFileSync(synced, 'here');
  fdatasyncSync(synced);
  closeSync(synced);
  writeFileSync(join(disk.path, 'unsynced'), 'gone');

  await disk.cut();
  assert.throws(() => writeFileSync(join(disk.path, 'later'), ''), /EIO/);
  await disk.powerOn();

  assert.equal(readFileSync(join(disk.path, 'synced'), 'utf8'), 'here');
  assert.ok(!existsSync(join(disk.path, 'unsynced')));
  assert.ok(!existsSync(join(disk.path, 'later')));
});

test('a disk that was filled takes nothing until it is given room', async (t) => {
  const lacks = lacksSmallDisk();
  if (lacks !== undefined) return t.skip(lacks);
  const directory = mkdtempSync(join(tmpdir(), 'muster-disk-'));
  const disk = await createSmallDisk({ path: join(directory, 'disk'), megabytes: 1 });
  t.after(() => removeBoth(disk, directory));

  disk.fill();
  assert.throws(() => writeFileSync(join(disk.path, 'more'), 'x'), /ENOSPC/);
  disk.free();

  writeFileSync(join(disk.path, 'more'), 'x');
});

/** In this order: what is mounted cannot be removed. */
async function removeBoth(disk: { remove: () => Promise<void> }, directory: string): Promise<void> {
  await disk.remove();
  rmSync(directory, { recursive: true, force: true });
}
