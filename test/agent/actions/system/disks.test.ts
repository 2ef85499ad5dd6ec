import assert from 'node:assert/strict';
import { type StatsFs, statfsSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDiskReader } from '../../../../agent/actions/system/disks.js';
import { listMounts } from '../../../../agent/actions/system/mounts.js';
import type { TestScope } from '../../../support/broker.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

function mountinfo(
  t: TestScope,
  mounts: readonly (readonly [device: string, directory: string, type: string])[],
): string {
  const file = join(temporaryDirectory(t), 'mountinfo');
  const lines = mounts.map(
    ([device, directory, type], index) =>
      `${index} 1 ${device} / ${directory} rw,relatime shared:1 - ${type} /dev/x rw`,
  );
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

test('file systems of the kernel are left out, and what is mounted twice is listed once', async (t) => {
  const mounts = await listMounts(
    mountinfo(t, [
      ['8:1', '/', 'ext4'],
      ['0:5', '/proc', 'proc'],
      ['0:6', '/dev/shm', 'tmpfs'],
      ['0:7', '/tmp', 'tmpfs'],
      ['7:0', '/snap/core', 'squashfs'],
      ['8:1', '/var/lib/other', 'ext4'],
      ['0:50', '/mnt/my\\040share\\134x', 'nfs4'],
    ]),
  );

  assert.deepEqual(
    mounts.map(({ directory, isRemote }) => [directory, isRemote]),
    [
      ['/', false],
      ['/tmp', false],
      ['/mnt/my share\\x', true],
    ],
  );
});

test('the figures are those of the file system', async (t) => {
  const directory = temporaryDirectory(t);
  const [disk] = await createDiskReader({ mountinfo: mountinfo(t, [['8:1', directory, 'ext4']]) }).read();
  const { bsize, blocks, files } = statfsSync(directory);

  assert.equal(disk?.size_bytes, blocks * bsize);
  assert.equal(disk?.inodes, files);
  assert.equal(disk?.fault, null);
  assert.ok(disk?.used_percent !== null && disk?.used_percent !== undefined && disk.used_percent <= 100);
});

test('a file system that cannot be asked has its fault in place of figures', async (t) => {
  const [disk] = await createDiskReader({ mountinfo: mountinfo(t, [['8:1', '/no/such', 'ext4']]) }).read();

  assert.equal(disk?.fault, 'ENOENT');
  assert.equal(disk?.size_bytes, null);
});

test('a share that hangs costs one thread at most, and keeps no other disk from being told', async (t) => {
  const directory = temporaryDirectory(t);
  const asked: string[] = [];
  let hasAnswered = false;
  let answer: (stats: StatsFs) => void = () => undefined;
  const reader = createDiskReader({
    mountinfo: mountinfo(t, [
      ['0:50', '/mnt/one', 'nfs4'],
      ['0:51', '/mnt/two', 'cifs'],
      ['8:1', directory, 'ext4'],
    ]),
    async ask(path) {
      asked.push(path);
      if (path !== '/mnt/one' || hasAnswered) return statfs(directory);
      return new Promise<StatsFs>((resolve) => {
        answer = resolve;
      });
    },
  });

  for (let round = 0; round < 5; round += 1) {
    const faults = (await reader.read()).map(({ directory: where, fault }) => [where, fault]);
    assert.deepEqual(faults, [
      [directory, null],
      ['/mnt/one', 'no_answer'],
      ['/mnt/two', 'no_answer'],
    ]);
  }
  assert.equal(asked.filter((path) => path === '/mnt/one').length, 1);
  assert.equal(asked.filter((path) => path === '/mnt/two').length, 0);

  hasAnswered = true;
  answer(await statfs(directory));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    (await reader.read()).map(({ fault }) => fault),
    [null, null, null],
  );
});
