import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { detectIsolation } from '../../../agent/actions/isolation.js';
import { createLogger } from '../../../runtime/logger.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const AGENT = `
  import { detectIsolation } from ${importPath('agent/actions/isolation.ts')};
  import { createProcessGroupIsolation } from ${importPath('agent/actions/process-group.ts')};
  import { runProgram } from ${importPath('agent/actions/processes.ts')};
  import { createLogger } from ${importPath('runtime/logger.ts')};
  const log = createLogger('agent', { level: 'silent' });
  const isolation = process.argv[1] === 'detect' ? detectIsolation(log) : createProcessGroupIsolation();
  const script = 'trap "" TERM; sleep 999 & echo $! > pid.new; mv pid.new pid; echo ready; wait';
  await runProgram(
    { file: '/bin/sh', args: ['-c', script], cwd: process.cwd(), env: { PATH: process.env.PATH }, graceMs: 500 },
    { signal: new AbortController().signal, output: { write: () => process.stdout.write('ready') }, isolation, log },
  );
`;

for (const isolation of ['detect', 'process_group']) {
  test(`promise 6: kill -9 of the agent ends what it runs (${isolation})`, async (t) => {
    const cwd = temporaryDirectory(t);
    t.after(() => detectIsolation(createLogger('agent', { level: 'silent' }))); // removes the empty cgroup of the dead
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', AGENT, isolation];
    const agent = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(agent.stdout, 'data');
    const pid = Number(readFileSync(join(cwd, 'pid'), 'utf8'));
    assert.ok(isAlive(pid));

    agent.kill('SIGKILL');

    await until(() => !isAlive(pid), { what: 'the grandchild has ended' });
  });
}

function importPath(file: string): string {
  return JSON.stringify(new URL(`../../../${file}`, import.meta.url).href);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
