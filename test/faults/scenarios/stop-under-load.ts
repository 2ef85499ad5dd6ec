import { withFaults } from '../judge/checker.js';
import type { Fault } from '../judge/fault.js';
import { readLedger } from '../judge/ledger.js';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import type { Part } from '../rig/part.js';
import { settingsEnv } from '../rig/part-options.js';
import { type Rig, startRig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';
import type { Scenario } from '../scenario.js';

const STOPS = { short: 3, full: 20 };
/** Longer than the agent drains and shorter than its long drain. */
const LONG_MS = 30_000;
const LONG_DRAIN = '5m';
const LONG_ASKS = 3;
const DEADLINE_MS = 30_000;

/** The agent is asked to stop while it works: what still runs is cancelled, and that is told before it ends. */
export const stopUnderLoad: Scenario = {
  name: 'stop-under-load',
  what: 'SIGTERM under load, and twice; the cancelled results go out before the end',
  lacks: () => undefined,
  async run(context) {
    const { random } = context;
    const stops = STOPS[context.size];
    const rig = await startRig(context);
    const faults: Fault[] = [];
    const sometimes = cancelSome(random);
    try {
      for (let round = 1; round <= stops; round += 1) {
        const label = `stop ${round}`;
        const load = rig.load.keepBusy(() => sometimes(randomAsk(random, label)), 2);
        faults.push(...(await stopOnce(rig, { label, isHurried: round % 2 === 0 })));
        await rig.agent.start();
        await load.stop();
        await rig.quiet();
      }
      return { points: stops, verdict: withFaults(await rig.judge(), faults) };
    } finally {
      await rig.stop();
    }
  },
};

/** Hurried: the drain would last until all is done, and a second signal skips it. */
async function stopOnce(
  { agent, load, ledgerFile }: Rig,
  { label, isHurried }: { label: string; isHurried: boolean },
): Promise<Fault[]> {
  if (isHurried) {
    await agent.kill('SIGTERM');
    await agent.start({ env: settingsEnv('agent', { drain_timeout: LONG_DRAIN }) });
  }
  const long: string[] = [];
  for (let asked = 0; asked < LONG_ASKS; asked += 1) {
    long.push(await load.submit({ deed: { ms: LONG_MS, bytes: 200 }, timeout: '2m', label }));
  }
  const hasStarted = (id: string): boolean => readLedger(ledgerFile).lines.some((line) => line.id === id);
  if (!(await settles(() => long.every(hasStarted), DEADLINE_MS))) {
    await agent.kill('SIGTERM');
    return [{ kind: 'lost', sentence: `${label}: the long executions did not start` }];
  }

  const stopsBefore = countStops(agent);
  const ended = agent.kill('SIGTERM');
  if (isHurried) {
    await settles(() => countStops(agent) > stopsBefore, DEADLINE_MS); // two at once would be one
    await agent.kill('SIGTERM');
  }
  const { code, signal } = await ended;

  const faults: Fault[] = [];
  if (code !== 0) faults.push({ kind: 'other', sentence: `${label}: the agent ended with ${code ?? signal}` });
  for (const id of long) {
    const isTold = await settles(async () => (await load.look(id))?.status === 'cancelled', DEADLINE_MS);
    if (!isTold) faults.push({ kind: 'lost', sentence: `${label}: ${id} was not told as cancelled before the end` });
  }
  return faults;
}

function countStops(agent: Part): number {
  return agent.log().split('"msg":"stopping"').length;
}
