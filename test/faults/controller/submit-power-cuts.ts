import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withFaults } from '../judge/checker.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { withScope } from '../scope.js';
import { createLoopDisk, lacksLoopDisk } from '../tools/loop-disk.js';
import { judgeGone, judgeWithRecords } from './judge-rig.js';
import { lacksStore, onEachStore, startStoreServer, storeSettings } from './stores.js';
import { keepSubmitting, SUBMIT_SETTINGS } from './submit-load.js';

const CUTS = { short: 2, full: 20 };
/** A new PostgreSQL database has 40 MB and a log of at least 16 MB. */
const DISK_BYTES = { sqlite: 48 * 1024 * 1024, postgres: 256 * 1024 * 1024 };

/** The disk of the store loses its power while many callers submit, with everything that no sync has brought to it. */
export const submitPowerCuts: readonly Scenario[] = onEachStore((kind) => ({
  name: `submit-power-cuts-${kind}`,
  what: `power cuts of the ${kind === 'sqlite' ? 'controller’s' : 'database’s'} disk while many callers submit`,
  lacks: async () => lacksStore(kind) ?? (await lacksLoopDisk()),
  run: (context) =>
    withScope(async (scope) => {
      const { random, note, directory } = context;
      const cuts = CUTS[context.size];
      const place = { image: join(directory, 'image'), path: join(directory, 'disk'), bytes: DISK_BYTES[kind] };
      const disk = await createLoopDisk(place);
      scope.after(disk.remove);
      chmodSync(directory, 0o755); // the server is another user
      const store = await startStoreServer(scope, kind, disk.path);
      const dataDir = join(store === undefined ? disk.path : directory, 'controller');
      mkdirSync(dataDir);
      const rig = await startRig(context, {
        agent: { settings: SUBMIT_SETTINGS },
        controller: { dataDir, settings: storeSettings(store) },
      });
      scope.after(rig.stop);
      await disk.sync(); // else a store that syncs nothing would lose its owner and its node, and nobody could ask
      let round = 0;
      const load = keepSubmitting(rig, { random, label: () => `cut ${round}` });
      for (round = 1; round <= cuts; round += 1) {
        await load.someAnswers();
        // The processor stops with the power: a sync that the dying file system still answers must not be heard.
        rig.controller.pause();
        await disk.cut();
        await rig.controller.kill('SIGKILL');
        await store?.server.kill();
        await disk.powerOn();
        await store?.server.start();
        if (!(await rig.controller.tryStart())) return { points: round, verdict: judgeGone(rig.load) };
        if (round % 5 === 0) note(`${round} of ${cuts} cuts`);
      }
      const refusals = await load.stop();
      await rig.quiet();
      return { points: cuts, verdict: withFaults(await judgeWithRecords(rig), refusals) };
    }),
}));
