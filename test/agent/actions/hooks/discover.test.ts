import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { discoverHooks } from '../../../../agent/actions/hooks/discover.js';
import { createLogger, type Logger } from '../../../../runtime/logger.js';
import { assertRejectsCode } from '../../../support/assert-code.js';
import { writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const SCRIPT = '#!/bin/sh\n';
const log = createLogger('agent', { level: 'silent' });

test('P-67, S-P-53: no directory, a missing one and an empty one have no hooks', async (t) => {
  const directory = temporaryDirectory(t);

  assert.deepEqual(await discoverHooks('', log), []);
  assert.deepEqual(await discoverHooks(join(directory, 'missing'), log), []);
  assert.deepEqual(await discoverHooks(directory, log), []);
});

test('S-P-59: a hooks directory that cannot be read is an error', async (t) => {
  const { file } = writeHook(temporaryDirectory(t), 'file', SCRIPT);

  const { message } = await assertRejectsCode(discoverHooks(file, log), 'config_invalid');

  assert.match(message, /ENOTDIR/);
});

test('P-68…P-70, S-P-54: directories, files without x-bit and .json files are skipped without a word', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'directory'));
  writeHook(directory, 'plain', SCRIPT, 0o644);
  writeHook(directory, 'something.json', SCRIPT);
  writeHook(directory, 'hook', SCRIPT);
  const { lines, logger } = collectWarnings();

  assert.deepEqual(await names(directory, logger), ['hook']);
  assert.deepEqual(lines, []);
});

test('P-74: what may be an attack or a mistake is skipped with a warning, and the others are found', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'group', SCRIPT, 0o775);
  writeHook(directory, 'world', SCRIPT, 0o757);
  writeHook(directory, 'large', '#'.repeat(16 * 1024 * 1024 + 1));
  writeHook(directory, 'bad name', SCRIPT);
  writeHook(directory, 'a..b', SCRIPT);
  writeHook(directory, 'hook', SCRIPT);
  symlinkSync(join(directory, 'hook'), join(directory, 'link'));
  const { lines, logger } = collectWarnings();

  assert.deepEqual(await names(directory, logger), ['hook']);
  assert.deepEqual(
    lines.map(({ file, fault }) => [file, fault]),
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
  writeHook(directory, 'beta.sh', 'beta');
  writeHook(directory, 'alpha.sh', '');

  const hooks = await discoverHooks(directory, log);

  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  assert.deepEqual(
    hooks.map(({ spec }) => spec),
    [
      { name: 'alpha.sh', source: 'local', checksum: sha256(''), description: '', parameters: [], sandbox: 'none' },
      { name: 'beta.sh', source: 'local', checksum: sha256('beta'), description: '', parameters: [], sandbox: 'none' },
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

  const [hook] = await discoverHooks(directory, log);

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

  const [hook] = await discoverHooks(directory, log);

  assert.equal(hook?.spec.description, 'right');
});

test('S-P-57: a hook with a broken sidecar is listed without metadata, and with a sandbox that keeps it from running', async (t) => {
  for (const [content, mode] of [
    ['{', 0o644],
    ['{"timeout":"-1s"}', 0o644],
    ['{"sandbox":"none"}', 0o666],
    [`"${'x'.repeat(70_000)}"`, 0o644],
  ] as const) {
    const directory = temporaryDirectory(t);
    writeHook(directory, 'hook', SCRIPT);
    writeHook(directory, 'hook.json', content, mode);
    const { lines, logger } = collectWarnings();

    const [hook] = await discoverHooks(directory, logger);

    assert.deepEqual([hook?.spec.description, hook?.spec.parameters, hook?.spec.timeout], ['', [], undefined]);
    assert.equal(hook?.spec.sandbox, 'unknown');
    assert.equal(lines[0]?.msg, 'sidecar cannot be used');
  }
});

async function names(directory: string, logger: Logger): Promise<string[]> {
  return (await discoverHooks(directory, logger)).map(({ spec }) => spec.name);
}

function collectWarnings(): { lines: Record<string, unknown>[]; logger: Logger } {
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return { lines, logger: createLogger('agent', { level: 'warn', destination }) };
}
