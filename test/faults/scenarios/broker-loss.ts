import { setTimeout as wait } from 'node:timers/promises';
import { addFaults } from '../judge/add-faults.js';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import { FLOW_MS, flows } from '../rig/flows.js';
import { type Rig, startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';

const LOSSES = { short: 2, full: 40 };
/** Every so many losses the controller is killed along with the broker. */
const CONTROLLER_EVERY = 2;

/** The embedded broker, which keeps nothing, is killed and comes back empty. */
export const brokerLoss: Scenario = {
  name: 'broker-loss',
  what: 'kill -9 of the broker every few seconds under load; it comes back empty',
  lacks: () => undefined,
  async run(context) {
    const { random, note } = context;
    const losses = LOSSES[context.size];
    const rig = await startRig(context);
    try {
      const faults: string[] = [];
      let round = 0;
      const sometimes = cancelSome(random);
      const load = rig.load.keepBusy(() => sometimes(randomAsk(random, `loss ${round}`)), 6);
      for (round = 1; round <= losses; round += 1) {
        await wait(500 + random() * 3_000);
        await loseBroker(rig, { withController: round % CONTROLLER_EVERY === 0, awayMs: random() * 2_000 });
        if (!(await flows(rig, `after loss ${round}`))) {
          faults.push(`no work flowed within ${FLOW_MS} ms of return ${round} of the broker`);
        }
        if (round % 10 === 0) note(`${round} of ${losses} losses`);
      }
      await load.stop();
      await rig.quiet();
      return { points: losses, verdict: addFaults(await rig.judge(), faults) };
    } finally {
      await rig.stop();
    }
  },
};

async function loseBroker(
  { broker, controller }: Rig,
  { withController, awayMs }: Readonly<{ withController: boolean; awayMs: number }>,
): Promise<void> {
  await Promise.all([broker.kill('SIGKILL'), withController ? controller.kill('SIGKILL') : undefined]);
  await wait(awayMs);
  await Promise.all([broker.start(), withController ? controller.start() : undefined]);
}
