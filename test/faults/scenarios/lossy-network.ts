import { setTimeout as wait } from 'node:timers/promises';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import { type Rig, startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { type Network, networkLacks, startNetwork } from '../tools/network.js';

const LOSS_PERCENT = 30;
const SLOW_KBIT = 64;
/** How long each leg is. */
const LEG_MS = { short: 4_000, full: 120_000 };
/** Times in which nothing passes at all, in the full run: longer than the keep-alive allows. */
const OUTAGE_MS = 20_000;
const KEEP_ALIVE = { keep_alive: 5 };

/** The agent alone in a network namespace, behind a cable that loses packets and then is slow. */
export const lossyNetwork: Scenario = {
  name: 'lossy-network',
  what: `${LOSS_PERCENT} % of all packets lost, then ${SLOW_KBIT} kbit/s, between agent and broker`,
  lacks: networkLacks,
  async run(context) {
    const { random, size, directory, note } = context;
    const network = await startNetwork();
    try {
      const rig = await startRig(context, { agent: { settings: KEEP_ALIVE } });
      try {
        await moveIn(rig, { network, directory });
        const sometimes = cancelSome(random);
        const load = rig.load.keepBusy(() => sometimes(randomAsk(random, 'lossy network')), 6);
        const legs = legsOf(network, { withOutages: size === 'full' });
        for (const { what, begin, ms = LEG_MS[size] } of legs) {
          note(what);
          await begin();
          await wait(ms);
        }
        await load.stop();
        await network.heal();
        await rig.quiet();
        // Outside again, so that whoever judges can ask it.
        await rig.agent.kill('SIGTERM');
        await rig.agent.start();
        await rig.agent.welcomed();
        return { points: legs.length, verdict: await rig.judge({ linkDownMs: size === 'full' ? OUTAGE_MS : 0 }) };
      } finally {
        await rig.stop();
      }
    } finally {
      await network.stop();
    }
  },
};

type Leg = Readonly<{ what: string; begin: () => Promise<void>; ms?: number }>;

function legsOf(network: Network, { withOutages }: { withOutages: boolean }): Leg[] {
  const lossy = { what: `${LOSS_PERCENT} % lost`, begin: () => network.lose(LOSS_PERCENT) };
  const slow = {
    what: `${SLOW_KBIT} kbit/s`,
    begin: async () => {
      await network.heal();
      await network.slow(SLOW_KBIT);
    },
  };
  const outage = { what: 'nothing passes', begin: () => network.lose(100), ms: OUTAGE_MS };
  return withOutages ? [lossy, outage, lossy, slow, outage, slow] : [lossy, slow];
}

/** From now on the agent has no other way to the broker than over the cable. It enrolled before. */
async function moveIn(
  { agent, brokerUrl }: Rig,
  { network, directory }: Readonly<{ network: Network; directory: string }>,
): Promise<void> {
  const { host, port } = await network.expose(Number(new URL(brokerUrl).port), directory);
  await agent.kill('SIGTERM');
  const url = `MUSTER_AGENT_BROKER_URL=mqtt://${host}:${port}`;
  await agent.start({ wrap: (argv) => [...network.enter, 'env', url, ...argv] });
  await agent.welcomed();
}
