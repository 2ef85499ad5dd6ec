import { setTimeout as wait } from 'node:timers/promises';
import { withFaults } from '../judge/checker.js';
import type { Fault } from '../judge/fault.js';
import { restartAfterCrash } from '../rig/crash.js';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import { findIsolations } from '../rig/isolations.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';

const KILLS = { short: 6, full: 100 };
/** Every fifth kill takes the agent's whole process group along. */
const GROUP_EVERY = 5;

/** The agent is killed again and again at a moment of chance while it works. */
export const killUnderLoad: Scenario = {
  name: 'kill-under-load',
  what: 'kill -9 of the agent at random moments under load',
  lacks: () => undefined,
  async run(context) {
    const { random, note } = context;
    const kills = KILLS[context.size];
    const [isolation] = await findIsolations();
    const rig = await startRig(context, { agent: { settings: { process_isolation: isolation } } });
    const faults: Fault[] = [];
    try {
      let round = 0;
      const sometimes = cancelSome(random);
      const load = rig.load.keepBusy(() => sometimes(randomAsk(random, `kill ${round}`, isolation)), 6);
      for (round = 1; round <= kills; round += 1) {
        await wait(100 + random() * 1_400);
        if (round % GROUP_EVERY === 0) await rig.agent.killGroup('SIGKILL');
        else await rig.agent.kill('SIGKILL');
        faults.push(...(await restartAfterCrash(rig.agent, `kill ${round}`)));
        if (round % 20 === 0) note(`${round} of ${kills} kills`);
      }
      await load.stop();
      await rig.quiet();
      return { points: kills, verdict: withFaults(await rig.judge(), faults) };
    } finally {
      await rig.stop();
    }
  },
};
