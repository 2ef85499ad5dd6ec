import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPostgres } from './postgres.js';
import { runnables } from './runnable.js';
import { POSTGRES_VARIABLE } from './store-place.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Runs the test files of a folder of test/controller once more, with every store on a PostgreSQL server. What takes long
 * is named `-long.ts`: `npm run test:postgres` runs it, `npm test` does not.
 */
export function testOnPostgres(folder: string, { without }: { without?: RegExp } = {}): void {
  test(`every test of controller/${folder} holds on PostgreSQL as well`, async (t) => {
    const server = await startPostgres(t);
    if (server === undefined) return t.skip('PostgreSQL is not installed');
    const directory = `${ROOT}test/controller/${folder}/`;
    const files = readdirSync(directory)
      .filter((file) => file.endsWith('.test.ts') && without?.test(file) !== true)
      .sort();
    const report = await runTests(
      t,
      files.map((file) => `${directory}${file}`),
      server.url,
    );
    assert.match(report, /ℹ pass [1-9]/);
    assert.match(report, /ℹ fail 0\n/, report.slice(report.indexOf('failing tests')));
    assert.match(report, /ℹ skipped 0\n/);
  });
}

async function runTests(t: TestContext, files: readonly string[], server: string): Promise<string> {
  // Without this variable: a test runner below another one reports in a form for machines.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { execArgv, scripts } = runnables(files);
  const args = [...execArgv, '--test', '--test-concurrency=2', '--test-reporter=spec', ...scripts];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...env, [POSTGRES_VARIABLE]: server },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let report = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    report += text;
  });
  await once(child, 'close');
  return report;
}
