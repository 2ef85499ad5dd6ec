import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { hashHook, readOwnedFile, scanHook } from '../../../../agent/actions/hooks/hook-file.js';
import { type HookRun, hookRunner, runHook, writeHook } from '../../../support/hooks.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const MIN_RUNS = 50;
/** By then both ends have come up, or one of them never will. */
const MAX_RUNS = 2000;
const ENDS = ['good\n', 'integrity_check_failed'];

test('S-P-43, P-101: a mismatch carries a violation that says what was expected where, and what was found', async (t) => {
  let path = '';
  const changed = '#!/bin/sh\necho changed\n';

  const { end } = await runHook(t, '#!/bin/sh\n', {
    meanwhile(file) {
      path = file;
      writeFileSync(file, changed);
    },
  });

  const [expected, actual] = [sha256('#!/bin/sh\n'), sha256(changed)];
  const detail = `The SHA-256 of hook.sh is ${actual}, but the request says ${expected}.`;
  const violation = { type: 'hook', path, expected, actual, detail };
  assert.deepEqual(end, { kind: 'error', code: 'integrity_check_failed', message: detail, violation });
});

test('S-P-43: an absent checksum is no violation: nothing was expected', async (t) => {
  const { end } = await runHook(t, '#!/bin/sh\n', { checksum: null });

  assert.equal(end.kind === 'error' && end.violation, undefined);
});

test('P-41, P-58: the check is made before every run, against the checksum that came with the request', async (t) => {
  const first = await runHook(t, '#!/bin/sh\necho one\n');
  const second = await runHook(t, '#!/bin/sh\necho one\n', {
    meanwhile: (file) => writeFileSync(file, '#!/bin/sh\necho two\n'),
  });
  const third = await runHook(t, '#!/bin/sh\necho one\n', {
    checksum: sha256('#!/bin/sh\necho two\n'),
    meanwhile: (file) => writeFileSync(file, '#!/bin/sh\necho two\n'),
  });

  assert.equal(first.stdout, 'one\n');
  assert.equal(second.end.kind === 'error' && second.end.code, 'integrity_check_failed');
  assert.equal(third.stdout, 'two\n', 'the request decides, not what was announced');
});

test('S-P-46: a hook that is replaced and overwritten in a tight loop runs as it was pinned, or not at all', async (t) => {
  const directory = temporaryDirectory(t);
  const evil = join(temporaryDirectory(t), 'evil');
  const padding = '# so long that a write takes a while\n'.repeat(2000);
  const good = `#!/bin/sh\n${padding}echo good\n`;
  const bad = `#!/bin/sh\n${padding}: > ${evil}; echo evil\n`;
  const { file, checksum } = writeHook(directory, 'hook.sh', good);
  const run = await hookRunner(t, directory);
  const worker = tamper({ file, good, bad });

  const seen = new Map<string, number>();
  for (let at = 0; at < MIN_RUNS || (at < MAX_RUNS && !ENDS.every((end) => seen.has(end))); at += 1) {
    const { end, stdout } = await run({ checksum });
    const outcome = end.kind === 'error' ? end.code : stdout;
    seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
  }
  await worker.terminate();

  assert.equal(existsSync(evil), false, 'the other text never ran');
  assert.deepEqual([...seen.keys()].sort(), ENDS, 'each way was taken, and no other');
});

test('P-6: name, file, checksum, parameters, first line and sandbox are judged in this order', async (t) => {
  const zeros = '0'.repeat(64);
  const nul = { a: '\0' };
  const sidecar = { sandbox: 'firejail' };
  const codeOf = async (script: string, options: HookRun): Promise<unknown> => {
    const { end } = await runHook(t, script, options);
    return end.kind === 'error' ? end.code : end.kind;
  };

  const gone = (file: string): void => rmSync(file);
  assert.equal(await codeOf('', { sidecar, parameters: nul, checksum: zeros, meanwhile: gone }), 'hook_not_found');
  assert.equal(await codeOf('', { sidecar, parameters: nul, checksum: zeros }), 'integrity_check_failed');
  assert.equal(await codeOf('', { sidecar, parameters: nul }), 'invalid_parameter');
  assert.equal(await codeOf('', { sidecar }), 'start_failed');
  assert.equal(await codeOf('#!/bin/sh\n', { sidecar }), 'sandbox_unavailable');
  assert.equal(await codeOf('#!/bin/sh\n', {}), 'exited');
});

test('S-P-45: an end without a run says why in a sentence that names the hook or what it lacks', async (t) => {
  const cases: [run: HookRun, says: RegExp][] = [
    [{ meanwhile: (file) => rmSync(file) }, /^The file of hook\.sh is gone\.$/],
    [{ meanwhile: (file) => chmodSync(file, 0o644) }, /^The file of hook\.sh is not taken: not executable\.$/],
    [{ checksum: null }, /^The expected checksum of hook\.sh is required\.$/],
    [{ checksum: '0'.repeat(64) }, /^The SHA-256 of hook\.sh is [0-9a-f]{64}, but the request says 0{64}\.$/],
    [{ parameters: { 'a-b': 1, a_b: 2 } }, /^Two parameters become the one variable MUSTER_PARAM_A_B\.$/],
    [{ parameters: { a: '\0' } }, /^The parameter a holds a NUL character\.$/],
    [{ sidecar: { sandbox: 'firejail' } }, /^This node has no sandbox named firejail\.$/],
  ];
  for (const [run, says] of cases) {
    const { end } = await runHook(t, '#!/bin/sh\n', run);
    assert.match(end.kind === 'error' ? end.message : end.kind, says);
  }
});

test('P-96, S-P-62: one hash serves discovery and the check: of nothing, of 1 MiB, and none of a missing file', async (t) => {
  const directory = temporaryDirectory(t);
  const large = writeHook(directory, 'large', 'x'.repeat(1024 * 1024));
  const rule = { maxBytes: 16 * 1024 * 1024, isExecutable: true };

  const read = await readOwnedFile(large.file, rule);

  assert.equal(hashHook(Buffer.alloc(0)), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  assert.equal(read.kind === 'read' && hashHook(read.content), large.checksum);
  const scan = await scanHook(large.file);
  assert.deepEqual(scan, { kind: 'read', checksum: large.checksum, head: Buffer.from('x'.repeat(256)) });
  assert.deepEqual(await scanHook(join(directory, 'missing')), { kind: 'refused', fault: 'missing' });
  assert.deepEqual(await readOwnedFile(join(directory, 'missing'), rule), { kind: 'refused', fault: 'missing' });
  assert.deepEqual(readdirSync(directory), ['large']);
});

/** Swaps the two texts under this name, by rename and by writing in place, until it is terminated. */
function tamper(texts: Readonly<{ file: string; good: string; bad: string }>): Worker {
  return new Worker(
    `const { renameSync, writeFileSync, chmodSync } = require('node:fs');
     const { file, good, bad } = require('node:worker_threads').workerData;
     for (;;) {
       for (const text of [bad, good]) {
         writeFileSync(file + '.json', text);
         chmodSync(file + '.json', 0o755);
         renameSync(file + '.json', file);
         writeFileSync(file, text === bad ? good : bad);
       }
     }`,
    { eval: true, workerData: texts },
  );
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
