import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { discoverHooks, type Hook } from '../../../../agent/actions/hooks/discover.js';
import { assertRejectsCode } from '../../../support/assert-code.js';
import { writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const SCRIPT = '#!/bin/sh\n';

test('P-67, S-P-53: no directory, a missing one and an empty one have no hooks', async (t) => {
  const directory = temporaryDirectory(t);

  const nothing = { hooks: [], faults: [] };
  assert.deepEqual(await discoverHooks(''), nothing);
  assert.deepEqual(await discoverHooks(join(directory, 'missing')), nothing);
  assert.deepEqual(await discoverHooks(directory), nothing);
});

test('S-P-59: a hooks directory that cannot be read is an error', async (t) => {
  const { file } = writeHook(temporaryDirectory(t), 'file', SCRIPT);

  const { message } = await assertRejectsCode(discoverHooks(file), 'config_invalid');

  assert.match(message, /ENOTDIR/);
});

test('P-68…P-70, S-P-54: directories, files without x-bit and .json files are skipped without a word', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'directory'));
  writeHook(directory, 'plain', SCRIPT, 0o644);
  writeHook(directory, 'something.json', SCRIPT);
  writeHook(directory, 'hook', SCRIPT);
  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual(namesOf(hooks), ['hook']);
  assert.deepEqual(faults, []);
});

test('P-74: what may be an attack or a mistake is skipped with the reason, and the others are found', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'group', SCRIPT, 0o775);
  writeHook(directory, 'world', SCRIPT, 0o757);
  writeHook(directory, 'large', '#'.repeat(16 * 1024 * 1024 + 1));
  writeHook(directory, 'bad name', SCRIPT);
  writeHook(directory, 'a..b', SCRIPT);
  writeHook(directory, 'hook', SCRIPT);
  symlinkSync(join(directory, 'hook'), join(directory, 'link'));
  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual(namesOf(hooks), ['hook']);
  assert.deepEqual(
    faults.map(({ file, fault }) => [file, fault]),
    [
      ['a..b', 'name'],
      ['bad name', 'name'],
      ['group', 'writable_by_others'],
      ['large', 'too_large'],
      ['link', 'symbolic_link'],
      ['world', 'writable_by_others'],
    ],
  );
});

test('P-71, P-73, S-P-55, P-96: hooks are sorted by name, with source local and their SHA-256', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'beta.sh', SCRIPT);
  writeHook(directory, 'alpha.sh', '#!/bin/true');

  const { hooks } = await discoverHooks(directory);

  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  assert.deepEqual(
    hooks.map(({ spec }) => spec),
    [
      {
        name: 'alpha.sh',
        source: 'local',
        checksum: sha256('#!/bin/true'),
        description: '',
        parameters: [],
        sandbox: 'none',
      },
      { name: 'beta.sh', source: 'local', checksum: sha256(SCRIPT), description: '', parameters: [], sandbox: 'none' },
    ],
  );
});

test('P-72, P-76, S-P-56: a sidecar says description, parameters, time-out and sandbox', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'deploy', SCRIPT);
  const sidecar = {
    description: 'Deploys',
    parameters: [
      { name: 'target', type: 'string', required: true, description: 'Where' },
      { name: 'mode', type: 'string' },
    ],
    timeout: '30s',
    sandbox: 'bubblewrap',
  };
  writeHook(directory, 'deploy.json', JSON.stringify(sidecar), 0o644);

  const [hook] = (await discoverHooks(directory)).hooks;

  assert.deepEqual(hook?.spec.parameters, [
    sidecar.parameters[0],
    { name: 'mode', type: 'string', required: false, description: '' },
  ]);
  assert.deepEqual([hook?.spec.description, hook?.spec.timeout, hook?.spec.sandbox], ['Deploys', '30s', 'bubblewrap']);
});

test('P-75, S-P-58: the sidecar is the file name and .json', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'deploy.sh', SCRIPT);
  writeHook(directory, 'deploy.json', '{"description":"wrong"}', 0o644);
  writeHook(directory, 'deploy.sh.json', '{"description":"right"}', 0o644);

  const [hook] = (await discoverHooks(directory)).hooks;

  assert.equal(hook?.spec.description, 'right');
});

test('P-74: FIFOs, sockets, devices, broken links and sparse giants are skipped, each with the reason', async (t) => {
  const directory = temporaryDirectory(t);
  assert.equal(spawnSync('mkfifo', ['-m', '755', join(directory, 'fifo')]).status, 0);
  const server = createServer().listen(join(directory, 'socket'));
  t.after(() => server.close());
  await once(server, 'listening');
  symlinkSync('/no/such/file', join(directory, 'broken'));
  symlinkSync('/', join(directory, 'root'));
  truncateSync(writeHook(directory, 'giant', SCRIPT).file, 2 ** 40);
  writeHook(directory, 'hook', SCRIPT);
  const hasDevice = spawnSync('mknod', ['-m', '755', join(directory, 'zero'), 'c', '1', '5']).status === 0;

  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual(namesOf(hooks), ['hook']);
  assert.deepEqual(
    faults.map(({ file, fault }) => [file, fault]),
    [
      ['broken', 'symbolic_link'],
      ['fifo', 'not_regular'],
      ['giant', 'too_large'],
      ['root', 'symbolic_link'],
      ['socket', 'not_regular'],
      ...(hasDevice ? [['zero', 'not_regular']] : []),
    ],
  );
});

test('a hooks directory that others may write offers nothing and says so; a link to a good one is followed', async (t) => {
  const parent = temporaryDirectory(t);
  const directory = join(parent, 'real');
  mkdirSync(directory, { mode: 0o755 });
  writeHook(directory, 'hook', SCRIPT);
  symlinkSync(directory, join(parent, 'link'));

  assert.deepEqual(namesOf((await discoverHooks(join(parent, 'link'))).hooks), ['hook']);
  for (const mode of [0o775, 0o757, 0o1777]) {
    chmodSync(directory, mode);
    const { hooks, faults } = await discoverHooks(join(parent, 'link'));
    assert.deepEqual([hooks, faults.map(({ fault }) => fault)], [[], ['writable_by_others']]);
  }
});

test('names with control characters, spaces, quotes, colons or no ASCII are skipped with the reason', async (t) => {
  const directory = temporaryDirectory(t);
  const odd = [
    'new\nline',
    'tab\there',
    '$(id)',
    '`id`',
    'quo"te',
    "quo'te",
    'ümlaut',
    '-dash',
    '.hidden',
    'a:b',
    'x'.repeat(64),
  ];
  for (const name of odd) writeHook(directory, name, SCRIPT);
  for (const name of ['constructor', '__proto', 'x'.repeat(63), 'a.b-c_d']) writeHook(directory, name, SCRIPT);

  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual(namesOf(hooks), ['a.b-c_d', 'constructor', 'x'.repeat(63)]);
  assert.deepEqual(faults.map(({ file }) => file).sort(), ['__proto', ...odd].sort());
});

test('of thousands of files 500 become hooks, the first by name, and the rest is told of', async (t) => {
  const directory = temporaryDirectory(t);
  for (let at = 0; at < 3000; at += 1) writeHook(directory, `hook-${String(at).padStart(4, '0')}`, SCRIPT);

  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual([hooks.length, hooks[0]?.spec.name, hooks[499]?.spec.name], [500, 'hook-0000', 'hook-0499']);
  assert.deepEqual(faults, [{ message: 'hooks left out past the limit', file: 'hook-0500', fault: 'past 500 hooks' }]);
});

test('past 10,000 files a hooks directory is not looked at, and that is told', async (t) => {
  const directory = temporaryDirectory(t);
  for (let at = 0; at < 10_001; at += 1) writeFileSync(join(directory, `file-${at}`), '');

  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual([hooks, faults.map(({ fault }) => fault)], [[], ['past 10000 files']]);
});

test('a hook that cannot be started is offered with the reason', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'windows', '#!/bin/sh\r\necho\r\n');
  writeHook(directory, 'empty', '');

  const { hooks, faults } = await discoverHooks(directory);

  assert.deepEqual(namesOf(hooks), ['empty', 'windows']);
  assert.match(hooks[0]?.spec.fault ?? '', /does not begin with #!/);
  assert.match(hooks[1]?.spec.fault ?? '', /CR LF/);
  assert.equal(faults.length, 2);
});

function namesOf(hooks: readonly Hook[]): string[] {
  return hooks.map(({ spec }) => spec.name);
}
