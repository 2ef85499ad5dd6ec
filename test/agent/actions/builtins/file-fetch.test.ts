import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FetchedFile } from '../../../../agent/actions/builtins/file-fetch.js';
import type { ParameterValue } from '../../../../protocol/messages/parameters.js';
import type { TestScope } from '../../../support/broker.js';
import { type BuiltinRun, EXITED_0, EXITED_1, runBuiltin } from '../../../support/builtins.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const reportOf = ({ stderr }: BuiltinRun): FetchedFile => FetchedFile.parse(JSON.parse(stderr));

function fetchFrom(directory: string): (path: string, more?: Record<string, ParameterValue>) => Promise<BuiltinRun> {
  return (path, more) =>
    runBuiltin('file_fetch', { path: join(directory, path), ...more }, { settings: { readable_files: [directory] } });
}

/** A file of these bytes, and how to fetch from beside it. */
function withFile(t: TestScope, name: string, bytes: Buffer): ReturnType<typeof fetchFrom> {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, name), bytes);
  return fetchFrom(directory);
}

test('every byte of a binary file arrives, with its size and checksum beside it', async (t) => {
  const bytes = randomBytes(300_000);
  const run = await withFile(t, 'image', bytes)('image');

  const { file, size, offset, sha256: told, bytes: count, at_end } = reportOf(run);
  assert.deepEqual(run.end, EXITED_0);
  assert.ok(run.stdoutBytes.equals(bytes));
  assert.ok(file.endsWith('/image'));
  assert.deepEqual([size, offset, count, told, at_end], [300_000, 0, 300_000, sha256(bytes), true]);
});

test('a file larger than the bound is fetched in parts that fit together', async (t) => {
  const bytes = randomBytes(200_000);
  const fetch = withFile(t, 'image', bytes);
  const parts: Buffer[] = [];
  for (let offset = 0, isDone = false; !isDone; ) {
    const run = await fetch('image', { offset, max_bytes: 70_000 });
    parts.push(run.stdoutBytes);
    const { bytes: count, at_end } = reportOf(run);
    offset += count;
    isDone = at_end;
  }

  assert.equal(parts.length, 3);
  assert.ok(Buffer.concat(parts).equals(bytes));
});

test('no more is read than the agent keeps of an output', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'log'), 'x'.repeat(5000));
  const options = { maxOutputBytes: 4096, settings: { readable_files: [directory] } };

  const run = await runBuiltin('file_fetch', { path: join(directory, 'log') }, options);
  const greedy = await runBuiltin('file_fetch', { path: join(directory, 'log'), max_bytes: 4097 }, options);

  assert.deepEqual([run.stdoutBytes.length, reportOf(run).at_end], [4096, false]);
  assert.equal(greedy.end.kind === 'error' ? greedy.end.code : undefined, 'invalid_parameter');
});

test('a file of /proc, whose size is 0, is read to its end', async () => {
  const path = '/proc/sys/kernel/osrelease';
  const run = await runBuiltin('file_fetch', { path }, { settings: { readable_files: [path] } });

  assert.equal(run.stdout, readFileSync(path, 'utf8'));
  assert.deepEqual([reportOf(run).size, reportOf(run).at_end], [0, true]);
});

test('of a file that has grown the rest is fetched from where the last fetch ended', async (t) => {
  const directory = temporaryDirectory(t);
  const fetch = fetchFrom(directory);
  writeFileSync(join(directory, 'log'), 'first\n');
  const { bytes } = reportOf(await fetch('log'));
  appendFileSync(join(directory, 'log'), 'second\n');

  assert.equal((await fetch('log', { offset: bytes })).stdout, 'second\n');
  assert.equal((await fetch('log', { offset: 1_000 })).stdout, '');
});

test('an empty file has the checksum of nothing', async (t) => {
  const run = await withFile(t, 'empty', Buffer.alloc(0))('empty');

  assert.equal(run.stdout, '');
  assert.equal(reportOf(run).sha256, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('a file that no setting covers is not_allowed_on_node, whether it exists or not, and without settings all are', async (t) => {
  const fetch = fetchFrom(temporaryDirectory(t));
  for (const path of ['/etc/shadow', '/no/such/file']) {
    const { end, stdout } = await runBuiltin('file_fetch', { path });

    assert.deepEqual(end, {
      kind: 'error',
      code: 'not_allowed_on_node',
      message: `agent.readable_files of this node does not list the file ${path}. Who owns the node can add it there.`,
    });
    assert.equal(stdout, '');
  }
  const { end } = await fetch('../../etc/passwd');
  assert.equal(end.kind === 'error' ? end.code : undefined, 'not_allowed_on_node');
});

test("the agent's own key is not handed out, even where everything may be read", async (t) => {
  const dataDir = temporaryDirectory(t);
  writeFileSync(join(dataDir, 'node.key'), 'secret');

  const { end } = await runBuiltin(
    'file_fetch',
    { path: join(dataDir, 'node.key') },
    { dataDir, settings: { readable_files: ['/'] } },
  );

  assert.equal(end.kind === 'error' ? end.code : undefined, 'not_allowed_on_node');
});

test('a covered file that is missing exits with 1 and says so; a negative offset is an invalid parameter', async (t) => {
  const fetch = fetchFrom(temporaryDirectory(t));
  const missing = await fetch('none');
  const { end } = await fetch('none', { offset: -1 });

  assert.deepEqual(missing.end, EXITED_1);
  assert.match(missing.stderr, /\/none cannot be read: ENOENT\n$/);
  assert.deepEqual(end, { kind: 'error', code: 'invalid_parameter', message: 'parameter offset must not be negative' });
});

test('a file that opens and cannot be read, as some of /sys, exits with 1 and says the errno', async () => {
  const path = '/sys/class/net/lo/speed';
  const run = await runBuiltin('file_fetch', { path }, { settings: { readable_files: ['/sys'] } });

  assert.deepEqual(run.end, EXITED_1);
  assert.match(run.stderr, /\/lo\/speed cannot be read: EINVAL\n$/);
});
