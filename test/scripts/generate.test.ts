import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Parser } from '@asyncapi/parser';
import { TOPICS } from '../../protocol/topics.js';
import { asyncApiDocument } from '../../scripts/generate/asyncapi.js';
import { generatedFiles } from '../../scripts/generate/files.js';
import { runnable } from '../support/runnable.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test('every generated file is as the code says', async () => {
  for (const [path, text] of await generatedFiles(read)) assert.equal(read(path), text, `${path}: npm run generate`);
});

test('the check fails and names the file when one is stale or left over', (t) => {
  const copy = temporaryDirectory(t);
  copyFileSync(join(ROOT, 'topics.md'), join(copy, 'topics.md'));
  assert.equal(generate('--root', copy).status, 0);
  assert.equal(generate('--root', copy, '--check').status, 0);

  appendFileSync(join(copy, 'docs/reference/errors.md'), 'by hand\n');
  writeFileSync(join(copy, 'docs/reference/schemas/muster-gone.json'), '{}\n');
  const { status, stderr } = generate('--root', copy, '--check');

  assert.equal(status, 1);
  assert.match(stderr, /^stale: docs\/reference\/errors\.md$/m);
  assert.match(stderr, /^left over: docs\/reference\/schemas\/muster-gone\.json$/m);
});

test('the AsyncAPI document is valid 3.1 without a single diagnostic', async () => {
  const { document, diagnostics } = await new Parser().parse(JSON.stringify(asyncApiDocument()));

  assert.deepEqual(diagnostics, []);
  assert.equal(document?.version(), '3.1.0');
  assert.equal(document?.channels().all().length, Object.keys(TOPICS).length);
});

function generate(...args: string[]) {
  const { script, execArgv } = runnable(new URL('../../scripts/generate.ts', import.meta.url));
  return spawnSync(process.execPath, [...execArgv, script, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  });
}
