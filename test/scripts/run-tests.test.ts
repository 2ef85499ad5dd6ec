import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { TestScope } from '../support/broker.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const SCRIPT = fileURLToPath(new URL('../../scripts/run-tests.js', import.meta.url));
const Tally = z.object({
  passed: z.int(),
  failed: z.int(),
  skips: z.array(z.object({ title: z.string(), file: z.string(), reason: z.string() })),
  emptyFiles: z.array(z.string()),
});

/** Runs these files, by name and text. */
function run(t: TestScope, texts: Readonly<Record<string, string>>) {
  const directory = temporaryDirectory(t);
  const files = Object.entries(texts).map(([name, text]) => {
    const file = join(directory, `${name}.test.js`);
    writeFileSync(file, `const { test } = require('node:test');\n${text}\n`);
    return file;
  });
  const tally = join(directory, 'tally.json');
  // Without this variable: a test runner below another one runs nothing.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, [SCRIPT, tally, ...files], {
    env: { ...env, MUSTER_TEST_BUILT: directory },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, tally: Tally.parse(JSON.parse(readFileSync(tally, 'utf8'))) };
}

test('test files begin in the order in which they are named', (t) => {
  const { status, stdout, tally } = run(t, { b: "test('first', () => {});", a: "test('second', () => {});" });

  assert.equal(status, 0);
  assert.ok(stdout.indexOf('first') < stdout.indexOf('second'), stdout);
  assert.deepEqual(tally, { passed: 2, failed: 0, skips: [], emptyFiles: [] });
});

test('what fails, is skipped, has no test or does not load is counted, and a failure is the exit code', (t) => {
  const { status, tally } = run(t, {
    fails: "test('fails', () => { throw new Error('no'); });",
    skips: "test('skips', (t) => t.skip('it is not there'));",
    empty: '',
    broken: "throw new Error('it does not load');",
    works: "test('works', () => {});",
  });

  assert.equal(status, 1);
  assert.deepEqual([tally.passed, tally.failed], [1, 2]);
  assert.deepEqual(
    tally.skips.map(({ title, reason }) => [title, reason]),
    [['skips', 'it is not there']],
  );
  assert.deepEqual(tally.emptyFiles, ['empty.test.ts']);
});
