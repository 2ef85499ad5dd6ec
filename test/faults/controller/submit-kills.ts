import { setTimeout as wait } from 'node:timers/promises';
import { withFaults } from '../judge/checker.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { withScope } from '../scope.js';
import { judgeWithRecords } from './judge-rig.js';
import { lacksStore, onEachStore, startStoreServer, storeSettings } from './stores.js';
import { keepSubmitting, SUBMIT_SETTINGS } from './submit-load.js';

const KILLS = { short: 4, full: 200 };
/** A server that has just been killed needs this long at most before it is asked to start again. */
const DOWN_MS = 500;

/** The controller, and on PostgreSQL every second time its database, is killed while many callers submit. */
export const submitKills: readonly Scenario[] = onEachStore((kind) => ({
  name: `submit-kills-${kind}`,
  what: `kill -9 of the controller${kind === 'postgres' ? ' or of PostgreSQL' : ''} while many callers submit`,
  lacks: () => lacksStore(kind),
  run: (context) =>
    withScope(async (scope) => {
      const { random, note } = context;
      const kills = KILLS[context.size];
      const store = await startStoreServer(scope, kind);
      const rig = await startRig(context, {
        agent: { settings: SUBMIT_SETTINGS },
        controller: { settings: storeSettings(store) },
      });
      scope.after(rig.stop);
      let round = 0;
      const load = keepSubmitting(rig, { random, label: () => `submit kill ${round}` });
      for (round = 1; round <= kills; round += 1) {
        await load.someAnswers();
        if (store !== undefined && round % 2 === 0) {
          await store.server.kill();
          await wait(random() * DOWN_MS);
          await store.server.start();
        } else {
          await rig.controller.kill('SIGKILL');
          await rig.controller.start();
        }
        if (round % 20 === 0) note(`${round} of ${kills} kills`);
      }
      const refusals = await load.stop();
      await rig.quiet();
      return { points: kills, verdict: withFaults(await judgeWithRecords(rig), refusals) };
    }),
}));
