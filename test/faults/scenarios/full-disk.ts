import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readJournalFailures } from '../judge/journal-failures.js';
import { randomAsk } from '../rig/deeds.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { createSmallDisk, lacksSmallDisk } from '../tools/small-disk.js';

const FILLS = { short: 2, full: 25 };
const DISK_MEGABYTES = 8;
const PARALLEL = 6;
/** What ended while the disk was full is written once there is room, and that may be a while. */
const STUCK_MS = 10_000;
/** The smallest bound there is: large output reaches it again and again. */
const QUOTA_BYTES = 1024 * 1024;

/** The agent's disk is filled to its last byte and given room again; a second agent lives at its own bound. */
export const fullDisk: Scenario = {
  name: 'full-disk',
  what: 'a full disk under load, and a journal at journal_max_bytes',
  lacks: lacksSmallDisk,
  async run(context) {
    const { random, note, directory } = context;
    const fills = FILLS[context.size];
    const disk = await createSmallDisk({ path: join(directory, 'disk'), megabytes: DISK_MEGABYTES });
    try {
      const rig = await startRig(context, { agent: { dataDir: join(disk.path, 'agent') } });
      try {
        await rig.addAgent('at-quota', { settings: { journal_max_bytes: QUOTA_BYTES } });
        let round = 0;
        const load = rig.load.keepBusy(() => randomAsk(random, `fill ${round}`), PARALLEL);
        const large = rig.load.keepBusy(
          () => ({ node: 'at-quota', deed: { bytes: 200_000 }, label: `quota ${round}` }),
          2,
        );
        for (round = 1; round <= fills; round += 1) {
          await wait(300 + random() * 1_200);
          disk.fill();
          await wait(500 + random() * 2_500);
          // A crash in the middle of it now and then: what could not be written is interrupted.
          if (random() < 0.2) await rig.agent.kill('SIGKILL');
          disk.free();
          if (!rig.agent.isRunning()) await rig.agent.start();
          if (round % 5 === 0) note(`${round} of ${fills} fills`);
        }
        await Promise.all([load.stop(), large.stop()]);
        await rig.quiet();
        const failures = readJournalFailures(directory, 'node-1');
        if (failures === 0) throw new Error('the journal never noticed that its disk was full');
        note(`${failures} writes of the journal failed`);
        // Without room there is no private copy of a hook: that is said, and nothing was started.
        const errors = [{ code: 'start_failed', node: rig.agent.node }];
        return { points: fills, verdict: await rig.judge({ errors, recordMs: STUCK_MS }) };
      } finally {
        await rig.stop();
      }
    } finally {
      await disk.remove();
    }
  },
};
