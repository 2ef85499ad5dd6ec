import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import type { Isolation } from '../../../agent/actions/isolation.js';
import { type ProgramEnd, runProgram } from '../../../agent/actions/processes.js';
import { createLogger } from '../../../runtime/logger.js';
import type { TestScope } from '../../support/broker.js';
import { assertNoCanary, createCanary, findCanaries, findIsolations } from '../../support/isolations.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const log = createLogger('agent', { level: 'silent' });
const PATH = '/usr/local/bin:/usr/bin:/bin';

/** What tries to outlive its execution. Each says `ready` once its sleeper is there, and goes on. */
const FUGITIVES: Readonly<Record<string, (canary: string) => string>> = {
  'a child that holds the pipes': (canary) => `sleep ${canary} & echo ready; wait`,
  'a child that ignores SIGTERM': (canary) => `sh -c 'trap "" TERM; sleep ${canary}' & echo ready; wait`,
  'a double fork through setsid': (canary) => `(setsid sh -c 'echo ready; exec sleep ${canary}' &); sleep ${canary}`,
  'a crowd that goes on forking': (canary) =>
    `i=0; while [ $i -lt 300 ]; do (setsid sleep ${canary} &); i=$((i+1)); [ $i = 100 ] && echo ready; done; wait`,
};

/** It has left the group, cleared its environment and closed its streams: only a process group cannot hold it. */
const WELL_HIDDEN = (canary: string): string =>
  `(setsid env -i PATH=${PATH} sh -c 'exec sleep ${canary} < /dev/null > /dev/null 2>&1' &); sleep 0.1; echo ready; sleep ${canary}`;

for (const [limit, isolation] of await findIsolations()) {
  const hidden = limit === 'process_group' ? {} : { 'somebody well hidden': WELL_HIDDEN };
  for (const [who, scriptOf] of Object.entries({ ...FUGITIVES, ...hidden })) {
    test(`${limit}: promise 13, S-P-33: a cancel or a time-out ends ${who}`, async (t) => {
      const canary = createCanary();

      const end = await run(t, isolation, { script: scriptOf(canary), abortOn: 'ready' });

      assert.equal(end.kind, 'signaled');
      await assertNoCanary(canary);
    });

    test(`${limit}: the end of a program ends ${who}`, async (t) => {
      const canary = createCanary();
      const script = scriptOf(canary).replace(/; (wait|sleep \d+)$/, '; exit 7');

      const end = await run(t, isolation, { script });

      assert.deepEqual(end, { kind: 'exited', exitCode: 7 });
      await assertNoCanary(canary);
    });
  }

  test(`${limit}: promise 6: kill -9 of the agent ends all of them`, async (t) => {
    const canary = createCanary();
    const all = Object.values({ ...FUGITIVES, ...hidden }).map((scriptOf) => `(${scriptOf(canary)}) &`);
    const agent = startAgent(t, limit, `${all.join('\n')}\nwait`);
    await until(() => findCanaries(canary).length > 100, { what: 'a crowd' });

    agent.kill('SIGKILL');

    await assertNoCanary(canary);
  });
}

test('process_group: who left the group and cleared its environment lives on, as the capabilities say', async (t) => {
  const isolation = (await findIsolations()).get('process_group');
  assert.ok(isolation);
  const canary = createCanary();
  t.after(() => {
    for (const pid of findCanaries(canary)) process.kill(pid, 'SIGKILL');
  });
  const holdsPipe = `(setsid env -i PATH=${PATH} sh -c 'echo ready; exec sleep ${canary}' &); sleep ${canary}`;

  const end = await run(t, isolation, { script: holdsPipe, abortOn: 'ready' });

  assert.equal(end.kind, 'signaled'); // though somebody still holds its pipe
  assert.equal(findCanaries(canary).length, 1);
});

/** Runs a script; `abortOn` fires the signal when it has said this. */
async function run(
  t: TestScope,
  isolation: Isolation,
  { script, abortOn }: { script: string; abortOn?: string },
): Promise<ProgramEnd> {
  const cwd = temporaryDirectory(t);
  const abort = new AbortController();
  const marker = [`MARK=${cwd}`];
  return runProgram(
    { file: '/bin/sh', args: ['-c', script], cwd, env: { PATH, MARK: cwd }, graceMs: 200, marker },
    {
      signal: abort.signal,
      output: { write: (_, bytes) => (String(bytes).trim() === abortOn ? abort.abort() : undefined) },
      isolation,
      log,
    },
  );
}

/** A process that runs a program as an agent does, and passes its output on. */
function startAgent(t: TestScope, limit: string, script: string) {
  const cwd = temporaryDirectory(t);
  const source = `
    import { detectIsolation } from ${importPath('agent/actions/isolation.ts')};
    import { runProgram } from ${importPath('agent/actions/processes.ts')};
    import { createLogger } from ${importPath('runtime/logger.ts')};
    const log = createLogger('agent', { level: 'silent' });
    const [limit, script] = process.argv.slice(1);
    const env = { PATH: ${JSON.stringify(PATH)}, MARK: process.cwd() };
    const marker = ['MARK=' + process.cwd()];
    await runProgram(
      { file: '/bin/sh', args: ['-c', script], cwd: process.cwd(), env, graceMs: 500, marker },
      {
        signal: new AbortController().signal,
        output: { write: (_, bytes) => process.stdout.write(bytes) },
        isolation: await detectIsolation(log, limit),
        log,
      },
    );
  `;
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', source, limit, script];
  const agent = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(async () => {
    agent.kill('SIGKILL');
    await findIsolations(); // the next start removes the empty cgroup of the dead
  });
  return agent;
}

function importPath(file: string): string {
  return JSON.stringify(new URL(`../../../${file}`, import.meta.url).href);
}
