import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { randomAsk } from '../rig/deeds.js';
import type { Ask } from '../rig/load.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { createLoopDisk, lacksLoopDisk } from '../tools/loop-disk.js';

const CUTS = { short: 2, full: 20 };
const PARALLEL = 12;

/** The agent's disk loses its power under load, with everything that no sync has brought to it. */
export const powerCut: Scenario = {
  name: 'power-cut',
  what: 'power cuts of the agent’s disk, an ext4 of its own, under load',
  lacks: lacksLoopDisk,
  async run(context) {
    const { random, note, directory } = context;
    const cuts = CUTS[context.size];
    const disk = await createLoopDisk({ image: join(directory, 'image'), path: join(directory, 'disk') });
    try {
      const rig = await startRig(context, { agent: { dataDir: join(disk.path, 'agent') } });
      try {
        let round = 0;
        const load = rig.load.keepBusy(() => quickAsk(random, `cut ${round}`), PARALLEL);
        for (round = 1; round <= cuts; round += 1) {
          await wait(500 + random() * 1_500);
          // The processor stops with the power: a sync that the dying file system still answers must not be heard.
          rig.agent.pause();
          await disk.cut();
          await rig.agent.kill('SIGKILL');
          await disk.powerOn();
          await rig.agent.start();
          if (round % 5 === 0) note(`${round} of ${cuts} cuts`);
        }
        await load.stop();
        await rig.quiet();
        return { points: cuts, verdict: await rig.judge() };
      } finally {
        await rig.stop();
      }
    } finally {
      await disk.remove();
    }
  },
};

/** Mostly short, so that much was accepted, started and finished in the moment before a cut. */
function quickAsk(random: () => number, label: string): Ask {
  return random() < 0.25 ? randomAsk(random, label) : { deed: { bytes: Math.floor(random() * 500) }, label };
}
