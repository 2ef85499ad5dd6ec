import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { startHookWatch } from '../../../../agent/actions/hooks/watch.js';
import { createLogger } from '../../../../runtime/logger.js';
import { assertRejectsCode } from '../../../support/assert-code.js';
import type { TestScope } from '../../../support/broker.js';
import { writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

const log = createLogger('agent', { level: 'silent' });

/** Longer than any deadline: what is seen is seen by an event. */
const NEVER_MS = 2 ** 30;

test('a hook that is added, changed, made executable or removed is told by an event', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'first', 'one');
  const seen = await watching(t, directory);
  assert.deepEqual(seen(), ['first']);

  writeHook(directory, 'second', 'two', 0o644);
  writeHook(directory, 'third', 'three');
  await until(() => seen().join() === 'first,third', { what: 'added' });
  chmodSync(join(directory, 'second'), 0o755);
  await until(() => seen().join() === 'first,second,third', { what: 'made executable' });
  rmSync(join(directory, 'first'));
  await until(() => seen().join() === 'second,third', { what: 'removed' });
});

test('a directory that appears later, vanishes and comes back is followed', async (t) => {
  const directory = join(temporaryDirectory(t), 'hooks');
  const seen = await watching(t, directory, { followMs: 20 });
  assert.deepEqual(seen(), []);

  mkdirSync(directory);
  writeHook(directory, 'first', 'one');
  await until(() => seen().join() === 'first', { what: 'appeared' });
  rmSync(directory, { recursive: true });
  await until(() => seen().length === 0, { what: 'vanished' });
  mkdirSync(directory);
  writeHook(directory, 'second', 'two');
  await until(() => seen().join() === 'second', { what: 'came back' });
});

test('another directory that takes the name is heard from then on', async (t) => {
  const parent = temporaryDirectory(t);
  const directory = join(parent, 'hooks');
  mkdirSync(directory);
  mkdirSync(join(parent, 'other'));
  writeHook(join(parent, 'other'), 'other', 'one');
  const seen = await watching(t, directory);

  renameSync(directory, join(parent, 'old'));
  renameSync(join(parent, 'other'), directory);

  await until(() => seen().join() === 'other', { what: 'replaced' });
  writeHook(directory, 'another', 'two');
  await until(() => seen().join() === 'another,other', { what: 'heard' });
});

test('what changes nothing in the list is not told', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'first', 'one');
  let told = 0;
  const watch = await startHookWatch({ directory, log, verifyMs: NEVER_MS, onChange: () => (told += 1) });
  t.after(watch.stop);

  writeHook(directory, 'first', 'one');
  writeHook(directory, 'unrelated.txt', 'x', 0o644);
  writeHook(directory, 'last', 'two');

  await until(() => told === 2, { what: 'the last is told' });
});

test('nothing is told after the stop', async (t) => {
  const directory = temporaryDirectory(t);
  const seen: string[] = [];
  const watch = await startHookWatch({ directory, log, verifyMs: 1, onChange: () => seen.push('told') });
  writeHook(directory, 'first', 'one');

  await watch.stop();
  const atStop = seen.length;
  writeHook(directory, 'second', 'two');

  await (await startHookWatch({ directory, log, verifyMs: NEVER_MS, onChange: () => {} })).stop();
  assert.equal(seen.length, atStop);
});

test('S-P-59: a hooks directory that cannot be read fails the start', async (t) => {
  const { file } = writeHook(temporaryDirectory(t), 'file', '');

  await assertRejectsCode(
    startHookWatch({ directory: file, log, verifyMs: NEVER_MS, onChange: () => {} }),
    'config_invalid',
  );
});

test('a change that no event tells of is found by reading the hooks again', async (t) => {
  const parent = temporaryDirectory(t);
  const directory = join(parent, 'hooks');
  mkdirSync(directory);
  const { file, checksum } = writeHook(directory, 'hook', '#!/bin/sh\n');
  linkSync(file, join(parent, 'other-name'));
  let seen = '';
  const watch = await startHookWatch({
    ...{ directory, log, verifyMs: 20, followMs: NEVER_MS },
    onChange: ([hook]) => {
      seen = hook?.spec.checksum ?? '';
    },
  });
  t.after(watch.stop);
  assert.equal(seen, checksum);

  writeFileSync(join(parent, 'other-name'), '#!/bin/sh\necho changed\n'); // inotify tells the watch of that name alone

  await until(() => seen !== checksum, { what: 'the change' });
});

test('a directory that others may write offers nothing until it is mended', async (t) => {
  const directory = temporaryDirectory(t);
  writeHook(directory, 'first', 'one');
  const seen = await watching(t, directory);

  chmodSync(directory, 0o777);
  await until(() => seen().length === 0, { what: 'withdrawn' });
  chmodSync(directory, 0o755);
  await until(() => seen().join() === 'first', { what: 'offered again' });
});

test('each fault is logged once while it lasts, and a flood of them is counted', async (t) => {
  const directory = temporaryDirectory(t);
  for (let at = 0; at < 60; at += 1) writeHook(directory, `bad name ${at}`, '#!/bin/sh\n');
  const lines: Record<string, unknown>[] = [];
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  let looks = 0;
  const watch = await startHookWatch({
    ...{ directory, verifyMs: NEVER_MS, followMs: NEVER_MS, onChange: () => (looks += 1) },
    log: createLogger('agent', { level: 'warn', destination }),
  });
  t.after(watch.stop);

  assert.deepEqual(
    lines.map(({ msg }) => msg),
    [...Array.from({ length: 50 }, () => 'hook skipped'), 'further faults among the hooks'],
  );
  assert.equal(lines[50]?.count, 10);
  for (const name of ['good', 'better']) {
    const before = looks;
    writeHook(directory, name, '#!/bin/sh\n');
    await until(() => looks > before, { what: 'another look' });
  }
  assert.equal(lines.length, 51);
});

async function watching(
  t: TestScope,
  directory: string,
  { verifyMs = NEVER_MS, followMs = NEVER_MS }: { verifyMs?: number; followMs?: number } = {},
): Promise<() => string[]> {
  let names: string[] = [];
  const watch = await startHookWatch({
    directory,
    log,
    verifyMs,
    followMs,
    onChange: (hooks) => {
      names = hooks.map(({ spec }) => spec.name);
    },
  });
  t.after(watch.stop);
  return () => names;
}
