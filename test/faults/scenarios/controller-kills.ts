import { setTimeout as wait } from 'node:timers/promises';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';

const KILLS = { short: 3, full: 40 };

/** The controller is killed again and again while it takes asks and results; agents go on meanwhile. */
export const controllerKills: Scenario = {
  name: 'controller-kills',
  what: 'kill -9 of the controller at random moments under load',
  lacks: () => undefined,
  async run(context) {
    const { random, note } = context;
    const kills = KILLS[context.size];
    const rig = await startRig(context);
    try {
      let round = 0;
      const sometimes = cancelSome(random);
      const load = rig.load.keepBusy(() => sometimes(randomAsk(random, `controller kill ${round}`)), 6);
      for (round = 1; round <= kills; round += 1) {
        await wait(500 + random() * 2_500);
        await rig.controller.kill('SIGKILL');
        await wait(random() * 1_000);
        await rig.controller.start();
        if (round % 10 === 0) note(`${round} of ${kills} kills`);
      }
      await load.stop();
      await rig.quiet();
      return { points: kills, verdict: await rig.judge() };
    } finally {
      await rig.stop();
    }
  },
};
