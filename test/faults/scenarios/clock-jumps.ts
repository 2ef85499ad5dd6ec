import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { addFaults } from '../judge/add-faults.js';
import { randomAsk } from '../rig/deeds.js';
import { cpuSeconds } from '../rig/proc.js';
import { type Rig, startRig } from '../rig/rig.js';
import type { Scenario, ScenarioContext } from '../scenario.js';
import { createFakeClock, type FakeClock, lacksFakeClock } from '../tools/fake-clock.js';

const JUMPS = { short: 4, full: 30 };
/** Minutes by which the controller's clock is off, one after the other. */
const SKEWS = { short: [-2, 2], full: [-2, 2, -9, -5, 0] };
const PARALLEL = 6;
const MINUTE_MS = 60_000;
const YEARS_MS = 10 * 365 * 24 * 60 * MINUTE_MS;
const OFFSETS_MS = [YEARS_MS, -YEARS_MS, 0, 60 * MINUTE_MS, -60 * MINUTE_MS, 2 * MINUTE_MS, -2 * MINUTE_MS];
const IDLE_MS = 5_000;
/** An idle agent that uses half a processor spins. */
const BUSY_SHARE = 0.5;

/** The agent's wall clock jumps, while it works and while it is down; the controller's by minutes. */
export const clockJumps: Scenario = {
  name: 'clock-jumps',
  what: 'the agent’s clock jumps by years, back and forth; the controller’s by minutes',
  lacks: lacksFakeClock,
  async run(context) {
    const { directory, random } = context;
    const clocks = {
      agent: createFakeClock(join(directory, 'clock-of-agent')),
      controller: createFakeClock(join(directory, 'clock-of-controller')),
    };
    // A journal takes nothing from before it began: the earliest time of the controller has to be its first.
    clocks.controller.shift(-10 * MINUTE_MS);
    const rig = await startRig(context, {
      agent: { env: clocks.agent.env },
      controller: { env: clocks.controller.env },
    });
    try {
      clocks.controller.shift(0);
      const jumps = JUMPS[context.size];
      let round = 0;
      const load = rig.load.keepBusy(() => randomAsk(random, `jump ${round}`), PARALLEL);
      for (round = 1; round <= jumps; round += 1) await jump(rig, clocks.agent, { context, round });
      await load.stop();
      await rig.quiet();
      const spinning = context.size === 'full' ? await spinsAfterJump(rig, clocks.agent) : undefined;
      const skews = SKEWS[context.size].map((minutes) => minutes * MINUTE_MS);
      await askUnderSkew(rig, clocks.controller, skews);
      const verdict = await rig.judge();
      return {
        points: jumps + skews.length,
        verdict: spinning === undefined ? verdict : addFaults(verdict, [spinning]),
      };
    } finally {
      await rig.stop();
    }
  },
};

async function jump(
  rig: Rig,
  clock: FakeClock,
  { context: { random, note }, round }: { context: ScenarioContext; round: number },
): Promise<void> {
  const offsetMs = OFFSETS_MS[(round - 1) % OFFSETS_MS.length] ?? 0;
  await wait(300 + random() * 1_200);
  const restarts = random() < 0.4;
  if (restarts) await rig.agent.kill('SIGKILL');
  clock.shift(offsetMs);
  if (restarts) await rig.agent.start();
  if (round % 7 === 0) note(`${round} jumps`);
}

/** A sentence when the idle agent uses a processor for nothing after its clock has jumped. */
async function spinsAfterJump(rig: Rig, clock: FakeClock): Promise<string | undefined> {
  for (const offsetMs of [-YEARS_MS, YEARS_MS, 0]) {
    clock.shift(offsetMs);
    const before = cpuSeconds(rig.agent.pid());
    await wait(IDLE_MS);
    const share = (cpuSeconds(rig.agent.pid()) - before) / (IDLE_MS / 1000);
    if (share > BUSY_SHARE) return `the idle agent used ${share.toFixed(2)} processors after a jump of ${offsetMs} ms`;
  }
  return undefined;
}

/** S-M-18: a controller whose clock is set reaches its nodes at once. Only hour-long asks: the judge's clock is right. */
async function askUnderSkew(rig: Rig, clock: FakeClock, offsets: readonly number[]): Promise<void> {
  for (const offsetMs of offsets) {
    clock.shift(offsetMs);
    for (let count = 0; count < 5; count += 1) await rig.load.submit({ deed: { ms: 50 }, label: `skew ${offsetMs}` });
    await rig.quiet();
  }
}
