import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { randomAsk } from '../rig/deeds.js';
import { type Rig, startRig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import { type Injection, injectedCalls, injectInto, lacksInjection, underInjection } from '../tools/inject.js';

/** Twice what others ask for: while calls fail work goes slowly, and a short run shall judge enough of it. */
const PARALLEL = 12;
/** Calls of a running agent: what the disk says, and how many times in a row. */
const RUNNING: readonly Omit<Injection, 'when'>[] = [
  { calls: 'fdatasync', error: 'EIO' },
  { calls: 'pwrite64', error: 'ENOSPC' },
  { calls: 'fsync', error: 'EIO' },
  { calls: 'pwrite64', error: 'EIO' },
];
const ROUNDS = { short: 4, full: 40 };
/** How many of the first syncs of an agent's start fail, each in a start of its own. */
const STARTS = { short: 2, full: 12 };
const HARM_MS = 8_000;
/** What ended while no write succeeded is written again and again until one does. */
const STUCK_MS = 10_000;
/** A commit at a time, so that the counts of strace, which are by thread, are those of the journal. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' };

/** Syncs and writes of the agent fail, one or many in a row, while it works and while it starts. */
export const ioError: Scenario = {
  name: 'io-error',
  what: 'EIO at each sync and ENOSPC at writes, of a running and of a starting agent',
  lacks: lacksInjection,
  async run(context) {
    // Small files, so that a new one is begun while calls fail.
    const settings = { journal_max_bytes: 2 * 1024 * 1024 };
    const rig = await startRig(context, { agent: { env: ONE_THREAD, settings } });
    try {
      const rounds = ROUNDS[context.size];
      let round = 0;
      let points = 0;
      const load = rig.load.keepBusy(() => randomAsk(context.random, `error ${round}`), PARALLEL);
      for (round = 1; round <= rounds; round += 1) points += await failRunning(rig, context, round);
      for (round = 1; round <= STARTS[context.size]; round += 1) points += await failStarting(rig, context, round);
      await load.stop();
      await rig.quiet();
      return { points, verdict: await rig.judge({ recordMs: STUCK_MS }) };
    } finally {
      await rig.stop();
    }
  },
};

/** One to eight calls in a row fail under load; gives how many did. */
async function failRunning(rig: Rig, { random, directory, note }: ScenarioContext, round: number): Promise<number> {
  const rule = RUNNING[round % RUNNING.length] ?? { calls: 'fdatasync', error: 'EIO' };
  const first = 1 + Math.floor(random() * 6);
  const when = `${first}..${first + Math.floor(random() * 8)}`;
  const injected = await injectInto(rig.agent.pid(), { ...rule, when }, join(directory, `calls-${round}`));
  await settles(() => injected.count() > 0, HARM_MS);
  await wait(random() * 500);
  await injected.detach();
  if (round % 10 === 0) note(`${round} rounds under load`);
  return injected.count();
}

/** The agent starts on a disk whose n-th sync fails: it ends and says so, or it works. */
async function failStarting(rig: Rig, { directory }: ScenarioContext, nth: number): Promise<number> {
  await rig.agent.kill('SIGKILL');
  const logFile = join(directory, `start-calls-${nth}`);
  const calls = nth % 2 === 0 ? 'fsync' : 'fdatasync';
  try {
    await rig.agent.start({
      wrap: underInjection({ calls, error: 'EIO', when: String(Math.ceil(nth / 2)) }, logFile),
    });
    await settles(() => injectedCalls(logFile) > 0, 1_000);
    await rig.agent.kill('SIGKILL');
  } catch {
    // It ended before it was ready, as it should on such a disk.
  }
  await rig.agent.ended();
  await rig.agent.start();
  return injectedCalls(logFile);
}
