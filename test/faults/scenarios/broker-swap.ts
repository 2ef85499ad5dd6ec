import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { loadIdentity } from '../../../agent/identity.js';
import { ensureKeys } from '../../../controller/identity/keys.js';
import { signBrokerToken } from '../../../protocol/broker-token.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { makeDataDir } from '../../../runtime/data-dir.js';
import { addFaults } from '../judge/add-faults.js';
import { randomAsk } from '../rig/deeds.js';
import { FLOW_MS, flows } from '../rig/flows.js';
import { type Rig, startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { type MosquittoAccount, mosquittoLacks, startGuardedMosquitto } from '../tools/mosquitto.js';

const SWAPS = { short: 1, full: 8 };
const STAY_MS = { short: 2_000, full: 12_000 };
const SCOPE = { prefix: 'muster/v1', org: 'default' };
const CONTROLLER_ID = 'ctl-swapped';
const TOKEN_SECONDS = 24 * 3600;

/** Mosquitto with a password file takes the port of our broker while work is under way, and gives it back. */
export const brokerSwap: Scenario = {
  name: 'broker-swap',
  what: 'our broker replaced by Mosquitto under load, and back again',
  lacks: mosquittoLacks,
  async run(context) {
    const { random, size, directory } = context;
    const controllerDir = join(directory, 'controller');
    const password = fixedPassword(controllerDir);
    const rig = await startRig(context, {
      controller: {
        dataDir: controllerDir,
        settings: { instance: 'swapped', broker_username: CONTROLLER_ID, broker_password: password },
      },
    });
    try {
      const faults: string[] = [];
      const load = rig.load.keepBusy(() => randomAsk(random, 'swap'), 6);
      for (let swap = 1; swap <= SWAPS[size]; swap += 1) {
        await wait(STAY_MS[size] * random());
        await rig.broker.kill(random() < 0.5 ? 'SIGKILL' : 'SIGTERM');
        if (!(await workOnMosquitto(rig, { directory, password, stayMs: STAY_MS[size] }))) {
          faults.push(`no work flowed within ${FLOW_MS} ms on Mosquitto, swap ${swap}`);
        }
        await rig.broker.start();
        if (!(await flows(rig, 'back on our broker')))
          faults.push(`no work flowed within ${FLOW_MS} ms on our broker, swap ${swap}`);
      }
      await load.stop();
      await rig.quiet();
      return { points: 2 * SWAPS[size], verdict: addFaults(await rig.judge(), faults) };
    } finally {
      await rig.stop();
    }
  },
};

/** The one password that the controller presents to either broker: for ours it has to be signed by the controller. */
function fixedPassword(controllerDir: string): string {
  const keys = ensureKeys(makeDataDir(join(controllerDir, 'controller')), SCOPE.org, SYSTEM_CLOCK);
  const iat = Math.floor(SYSTEM_CLOCK.nowMs() / 1000);
  const claims = { org: SCOPE.org, sub: CONTROLLER_ID, role: 'controller' as const, groups: [] };
  return signBrokerToken({ ...claims, iat, exp: iat + TOKEN_SECONDS }, keys.signing);
}

/** Whether work flows while Mosquitto is the broker. An agent that is let in nowhere renews its password meanwhile. */
async function workOnMosquitto(
  rig: Rig,
  { directory, password, stayMs }: Readonly<{ directory: string; password: string; stayMs: number }>,
): Promise<boolean> {
  const accounts = (): MosquittoAccount[] => [
    { role: 'controller', username: CONTROLLER_ID, password, groups: [] },
    { role: 'node', ...nodeAccount(rig.agent.dataDir), groups: [] },
  ];
  let admitted = accounts();
  const port = Number(new URL(rig.brokerUrl).port);
  const mosquitto = await startGuardedMosquitto({ directory, port, scope: SCOPE, accounts: admitted });
  const admitRenewed = async (): Promise<void> => {
    const now = accounts();
    if (now.every(({ password: each }, at) => each === admitted[at]?.password)) return;
    admitted = now;
    await mosquitto.admit(now);
  };
  try {
    const isFlowing = await flows(rig, 'on Mosquitto', admitRenewed);
    await wait(stayMs);
    return isFlowing;
  } finally {
    await mosquitto.stop();
  }
}

function nodeAccount(dataDir: string): { username: string; password: string } {
  const identity = loadIdentity(dataDir);
  if (identity === undefined) throw new Error('the agent has lost its identity');
  return identity.broker;
}
