import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAllowedFile } from '../../../../agent/actions/system/allowed-file.js';
import type { TestScope } from '../../../support/broker.js';
import { runCommand } from '../../../support/commands.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

/** A directory that may be read beside one that may not, each with a file. */
function makeTree(t: TestScope): { root: string; open: string; secret: string } {
  const root = temporaryDirectory(t);
  for (const name of ['open', 'closed']) mkdirSync(join(root, name));
  writeFileSync(join(root, 'open/file'), 'public');
  writeFileSync(join(root, 'closed/file'), 'secret');
  return { root, open: join(root, 'open'), secret: join(root, 'closed/file') };
}

/** What may be read, or why nothing may. */
async function contentOf(path: string, allowed: readonly string[], hidden: readonly string[] = []): Promise<string> {
  const found = await openAllowedFile(path, { allowed, hidden });
  if (found.kind === 'not_allowed') return 'not allowed';
  if (found.kind === 'failed') return found.message;
  try {
    return await found.handle.readFile('utf8');
  } finally {
    await found.handle.close();
  }
}

test('a file is read when it, or a directory above it, is listed', async (t) => {
  const { root, open } = makeTree(t);

  assert.equal(await contentOf(join(open, 'file'), [open]), 'public');
  assert.equal(await contentOf(join(open, 'file'), [`${open}/`]), 'public');
  assert.equal(await contentOf(join(open, 'file'), [join(open, 'file')]), 'public');
  assert.equal(await contentOf(join(open, '../open/./file'), [open]), 'public');
  assert.equal(await contentOf(join(open, 'file'), ['/']), 'public');
  symlinkSync(open, join(root, 'alias'));
  assert.equal(await contentOf(join(root, 'alias/file'), [join(root, 'alias')]), 'public');
});

test('nothing else is, however it is spelled and wherever links lead', async (t) => {
  const { root, open, secret } = makeTree(t);
  symlinkSync(secret, join(open, 'link'));
  symlinkSync(join(root, 'closed'), join(open, 'links'));
  mkdirSync(`${open}-too`);
  writeFileSync(`${open}-too/file`, 'secret');

  const paths = [
    secret,
    join(open, '../closed/file'),
    join(open, 'link'),
    join(open, 'links/file'),
    `${open}-too/file`,
  ];
  for (const path of [...paths, 'open/file', '', `${open}/file\0`, join(root, 'closed/none')])
    assert.equal(await contentOf(path, [open]), 'not allowed', path);
  assert.equal(await contentOf(join(open, 'file'), []), 'not allowed');
});

test('the data of the agent and what /proc tells of processes are never read', async (t) => {
  const { root, open, secret } = makeTree(t);
  symlinkSync(secret, join(open, 'link'));

  assert.equal(await contentOf(secret, ['/'], [join(root, 'closed')]), 'not allowed');
  assert.equal(await contentOf(join(open, 'link'), ['/'], [join(root, 'closed')]), 'not allowed');
  for (const path of [
    '/proc/self/environ',
    `/proc/${process.pid}/environ`,
    '/proc/thread-self/environ',
    '/proc/1/maps',
  ])
    assert.equal(await contentOf(path, ['/']), 'not allowed', path);
  assert.match(await contentOf('/proc/version', ['/proc']), /Linux/);
});

test('what is no regular file is not opened', async (t) => {
  const { open } = makeTree(t);
  await runCommand('mkfifo', [join(open, 'fifo')]);

  assert.equal(await contentOf(join(open, 'fifo'), [open]), `${open}/fifo is not a regular file`);
  assert.equal(await contentOf(open, [open]), `${open} is not a regular file`);
  assert.equal(await contentOf('/dev/null', ['/dev']), '/dev/null is not a regular file');
  assert.equal(await contentOf(join(open, 'none'), [open]), `${open}/none cannot be read: ENOENT`);
});

test('a directory that is exchanged for a link while it is opened leads nowhere else', {
  timeout: 60_000,
}, async (t) => {
  const { root, open } = makeTree(t);
  mkdirSync(join(open, 'sub'));
  writeFileSync(join(open, 'sub/file'), 'public');
  symlinkSync(join(root, 'closed'), join(root, 'link'));
  const script = `const { renameSync } = require('node:fs');
    const [sub, link, aside] = process.argv.slice(1);
    for (;;) { renameSync(sub, aside); renameSync(link, sub); renameSync(sub, link); renameSync(aside, sub); }`;
  const paths = [join(open, 'sub'), join(root, 'link'), join(root, 'aside')];
  const exchanger = spawn(process.execPath, ['-e', script, ...paths], { stdio: 'ignore' });
  const ended = new Promise((resolve) => exchanger.once('exit', resolve));
  const seen = new Set<string>();
  try {
    for (let attempt = 0; attempt < 2_000; attempt += 1) seen.add(await contentOf(join(open, 'sub/file'), [open]));
  } finally {
    // Before the directory is removed: who removes a tree that changes may never come to its end.
    exchanger.kill('SIGKILL');
    await ended;
  }

  assert.ok(seen.has('public'));
  assert.ok(!seen.has('secret'), [...seen].join(', '));
});
