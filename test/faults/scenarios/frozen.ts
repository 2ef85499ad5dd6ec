import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { NodeView } from '../../../controller/http/schemas.js';
import { addFaults } from '../judge/add-faults.js';
import { LAUNCH_MS } from '../judge/judge-outcome.js';
import { randomAsk } from '../rig/deeds.js';
import { FLOW_MS, flows } from '../rig/flows.js';
import type { Part } from '../rig/part.js';
import { type Rig, startRig } from '../rig/rig.js';
import { settles } from '../rig/settles.js';
import type { Scenario } from '../scenario.js';

const ROUNDS = { short: 1, full: 8 };
const KEEP_ALIVE_SECONDS = 5;
/** Promise 12: a dead link is noticed within 1.5 × keep-alive + 5 s; and some time for whoever looks. */
const NOTICE_MS = (1.5 * KEEP_ALIVE_SECONDS + 5) * 1000;
const LOOK_MS = 3_000;
/** Asks whose time is over before a frozen part can be noticed. */
const SHORT_LIVED = 4;
const SHORT_LIFE = '4s';
/** Life of what is asked for in a nap: with the time by which a start is late it is less than a link may be silent. */
const NAP_LIFE = '2s';
const NAP_MARGIN_MS = 500;
/** On a busy machine the life may be over before the controller has sent anything. */
const NAP_TRIES = 5;
const PROBE_MS = 2_000;
/** The controller serves its metrics beside its REST API. */
const Ready = z.object({ ready: z.object({ metricsPort: z.int().optional(), port: z.int().optional() }) });

/** Each part in turn is stopped by SIGSTOP for longer than a link may be dead, and then goes on as if nothing were. */
export const frozen: Scenario = {
  name: 'frozen',
  what: 'SIGSTOP of agent, controller and broker until the others give them up, then SIGCONT',
  lacks: () => undefined,
  async run(context) {
    const { random, size, note } = context;
    const keepAlive = { settings: { keep_alive: KEEP_ALIVE_SECONDS } };
    const rig = await startRig(context, { agent: keepAlive, controller: keepAlive });
    try {
      const faults: string[] = [];
      for (let round = 1; round <= ROUNDS[size]; round += 1) {
        if (!(await nap(rig))) faults.push(`nap ${round}: nothing was on its way to the agent`);
      }
      const load = rig.load.keepBusy(() => randomAsk(random, 'frozen'), 6);
      const spared = size === 'full' ? '' : random() < 0.5 ? 'controller' : 'broker';
      const victims = victimsOf(rig).filter(({ name }) => name !== spared);
      for (let round = 1; round <= ROUNDS[size]; round += 1) {
        for (const victim of victims) {
          note(`round ${round}: the ${victim.name}`);
          await wait(random() * 2_000);
          faults.push(...(await freeze(rig, victim)).map((fault) => `round ${round}: ${fault}`));
        }
      }
      await load.stop();
      await rig.quiet();
      return { points: ROUNDS[size] * victims.length, verdict: addFaults(await rig.judge(), faults) };
    } finally {
      for (const { part } of victimsOf(rig)) if (part.isRunning()) part.resume();
      await rig.stop();
    }
  },
};

/** A part, and how it shows that those it was connected to have noticed. */
type Victim = Readonly<{ name: string; part: Part; isGivenUp: () => Promise<boolean> }>;

function victimsOf({ agent, broker, controller, api }: Rig): Victim[] {
  return [
    {
      name: 'agent',
      part: agent,
      async isGivenUp() {
        const { bytes } = await api.call('GET', `/nodes/${agent.node}`);
        return NodeView.parse(JSON.parse(bytes.toString())).state === 'offline';
      },
    },
    {
      name: 'controller',
      part: controller,
      isGivenUp: async () => /^muster_broker_clients 1$/m.test(await probe(broker, '/metrics')),
    },
    {
      name: 'broker',
      part: broker,
      isGivenUp: async () => !(await isReady(agent)) && !(await isReady(controller)),
    },
  ];
}

/**
 * The agent stands still for so short a time that its link holds: what was asked for meanwhile is read when it goes on,
 * and the time of all of that is over. It has nothing else to do, or it would refuse for want of room. False when
 * nothing was ever on its way in time.
 */
async function nap(rig: Rig): Promise<boolean> {
  for (let attempt = 1; attempt <= NAP_TRIES; attempt += 1) if (await napOnce(rig)) return true;
  return false;
}

async function napOnce(rig: Rig): Promise<boolean> {
  const { agent, load } = rig;
  // The agent speaks right before, so that its link may be silent for the longest.
  if (!(await flows(rig, 'before a nap'))) return false;
  agent.pause();
  try {
    const ids = await Promise.all(
      Array.from({ length: SHORT_LIVED }, () => load.submit({ label: 'asked in a nap', expiresIn: NAP_LIFE })),
    );
    const asked = load.accepted.filter(({ executionId }) => ids.includes(executionId));
    const lateMs = Math.max(...asked.map(({ expiresMs }) => expiresMs)) + LAUNCH_MS;
    await wait(lateMs + NAP_MARGIN_MS - Date.now());
    const views = await Promise.all(ids.map((id) => load.look(id)));
    return views.some((view) => typeof view?.sent_at === 'string');
  } finally {
    agent.resume();
  }
}

/** What went wrong while a part was frozen and after it. */
async function freeze(rig: Rig, { name, part, isGivenUp }: Victim): Promise<string[]> {
  const faults: string[] = [];
  // On their way when it stops: nobody may start them when it goes on, since their time is over by then.
  const asked = Array.from({ length: SHORT_LIVED }, () =>
    rig.load.submit({ label: `short-lived, ${name} frozen`, expiresIn: SHORT_LIFE }),
  );
  part.pause();
  const isSeen = (): Promise<boolean> => isGivenUp().catch(() => false);
  if (!(await settles(isSeen, NOTICE_MS + LOOK_MS))) faults.push(`nobody noticed the frozen ${name}`);
  part.resume();
  await Promise.all(asked);
  if (!(await flows(rig, `after the ${name} was frozen`))) {
    faults.push(`no work flowed within ${FLOW_MS} ms after the ${name} was frozen`);
  }
  return faults;
}

async function isReady(part: Part): Promise<boolean> {
  return (await probe(part, '/readyz')).includes('200');
}

/** Status and text of what a part serves beside its work. */
async function probe(part: Part, path: string): Promise<string> {
  const { metricsPort, port } = Ready.parse(await part.said('ready')).ready;
  const answer = await fetch(`http://127.0.0.1:${metricsPort ?? port}${path}`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(PROBE_MS),
  });
  return `${answer.status}\n${await answer.text()}`;
}
