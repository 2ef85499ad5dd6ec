// Builds every test file, runs it on node:test and ends with one line: N passed, N failed, N skipped.
// Words narrow the choice: npm test -- broker. A run without a test fails, and so does, with CI=true, a skip that
// test/allowed-skips.json does not list (title → reason).
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clearAbandoned, ownPrefix } from '../test/support/abandoned.js';
import { installDebianPackages } from '../test/support/install-debian-packages.js';
import { buildTests } from './build-tests.js';

/** A test file that ignores its time-out must not hold up the run for ever. */
const RUN_TIMEOUT_MS = 18 * 60_000;
const root = fileURLToPath(new URL('..', import.meta.url));

const files = findTestFiles(process.argv.slice(2));
if (files.length === 0) {
  process.stderr.write('no test file found\n');
  process.exit(1);
}
clearAbandoned([tmpdir(), '/dev/shm']);
await installDebianPackages();
const directory = mkdtempSync(join(tmpdir(), ownPrefix()));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
chmodSync(directory, 0o755); // some tests start what was built as another user
const [tally, built] = [join(directory, 'tally.json'), join(directory, 'built')];
mkdirSync(built);
const exitCode = await runNodeTest(await buildTests(files, built));
process.exitCode = report(readTally(tally), exitCode);

function findTestFiles(words) {
  return readdirSync(join(root, 'test'), { recursive: true })
    .map((file) => `test/${file}`)
    .filter((file) => file.endsWith('.test.ts') && !file.includes('/node_modules/'))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
}

/** The exit code of the run; the tally file then holds what the reporter counted. */
function runNodeTest(chosen) {
  const args = ['--enable-source-maps', join(root, 'scripts/run-tests.js'), tally, ...chosen];
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, MUSTER_TEST_BUILT: built },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => killGroup(child.pid, signal));
  const limit = setTimeout(() => killGroup(child.pid, 'SIGKILL'), RUN_TIMEOUT_MS);
  return new Promise((ended) => {
    child.on('close', (code) => {
      clearTimeout(limit);
      ended(code ?? 1);
    });
  });
}

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}

/** An unreadable tally means that the run was cut off. */
function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return { passed: 0, failed: 1, skips: [], emptyFiles: [] };
  }
}

/** Prints skips with their reasons and the last line; gives the exit code. */
function report({ passed, failed, skips, emptyFiles }, runExitCode) {
  const allowed = JSON.parse(readFileSync(join(root, 'test/allowed-skips.json'), 'utf8'));
  const strict = process.env.CI === 'true';
  let refused = 0;
  for (const { title, file, reason } of skips) {
    const known = Object.hasOwn(allowed, title);
    if (strict && !known) refused += 1;
    process.stdout.write(`skipped: ${title} (${file}): ${reason}${known || !strict ? '' : ' — not allowed in CI'}\n`);
  }
  for (const file of emptyFiles) process.stdout.write(`no test in ${file}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skips.length} skipped\n`);
  return passed > 0 && failed === 0 && refused === 0 && emptyFiles.length === 0 && runExitCode === 0 ? 0 : 1;
}
