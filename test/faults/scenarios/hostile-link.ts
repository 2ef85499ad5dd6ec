import { setTimeout as wait } from 'node:timers/promises';
import { parsePayload, peekPayload } from '../../../protocol/envelope.js';
import { Request } from '../../../protocol/messages/request.js';
import { cancelSome, randomAsk } from '../rig/deeds.js';
import type { Ask } from '../rig/load.js';
import { startRig } from '../rig/rig.js';
import type { Scenario } from '../scenario.js';
import { drawFates, type Fate, type FaultRates, type SeenMessage, UNHARMED } from '../tools/fates.js';
import { type FaultProxy, startFaultProxy } from '../tools/fault-proxy.js';

const HARM_MS = { short: 6_000, full: 300_000 };
const RATES: FaultRates = {
  ...{ lose: 0.1, repeat: 0.12, overtake: 0.12, delay: 0.05, replay: 0.15, cut: 0.005, freeze: 0.001 },
  longestMs: 4_000,
};
/** As small as it can be, so that a frozen link is given up soon. */
const KEEP_ALIVE = { keep_alive: 5 };
/** An ask that may wait no longer than this is held back until its time is over. */
const SHORT_LIFE_MS = 2_000;
const HELD_BACK: Fate = { ...UNHARMED, deliverAfterMs: [6_000] };
const HELD_BACK_EVERY = 8;
/** Every so often a request surely comes again, when its program is under way or has just ended. */
const COMES_AGAIN: Fate = { ...UNHARMED, deliverAfterMs: [0, 300] };
const COMES_AGAIN_EVERY = 4;
const MAX_BYTES = 256 * 1024;

/**
 * Two proxies, before the agent and before the controller, lose, repeat, delay, reorder and replay messages of this and
 * of earlier connections, tear packets and freeze links. Some requests come for the first time when it is too late.
 */
export const hostileLink: Scenario = {
  name: 'hostile-link',
  what: 'messages lost, repeated, reordered, replayed and torn before agent and controller',
  lacks: () => undefined,
  async run(context) {
    const { random, size, note } = context;
    const proxies: FaultProxy[] = [];
    const between = async (brokerUrl: string): Promise<string> => {
      const brokerPort = (): number => Number(new URL(brokerUrl).port);
      const proxy = await startFaultProxy({ brokerPort, decide: () => UNHARMED, random });
      proxies.push(proxy);
      return proxy.url;
    };
    try {
      const rig = await startRig(context, {
        agent: { settings: KEEP_ALIVE },
        controller: { settings: KEEP_ALIVE },
        brokerUrlForAgent: between,
        brokerUrlForController: between,
      });
      try {
        const decide = decideFates(random);
        for (const proxy of proxies) proxy.decideBy(decide);
        const load = rig.load.keepBusy(nextAsk(random), 12);
        await wait(HARM_MS[size]);
        await load.stop();
        for (const proxy of proxies) proxy.decideBy(() => UNHARMED);
        await rig.quiet();
        const harm = sum(proxies.map((proxy) => proxy.counts()));
        note(JSON.stringify(harm));
        const { passed: _, ...harmful } = harm;
        const points = Object.values(harmful).reduce((all, each) => all + each, 0);
        return { points, verdict: await rig.judge() };
      } finally {
        await rig.stop();
      }
    } finally {
      for (const proxy of proxies) await proxy.stop();
    }
  },
};

function nextAsk(random: () => number): () => Ask {
  const sometimes = cancelSome(random);
  return () => {
    if (random() * HELD_BACK_EVERY < 1) return { label: 'held back', expiresIn: `${SHORT_LIFE_MS}ms` };
    return sometimes(randomAsk(random, 'hostile link'));
  };
}

function decideFates(random: () => number): (message: SeenMessage) => Fate {
  const draw = drawFates(random, RATES);
  let requests = 0;
  return (message) => {
    if (!isRequest(message)) return draw(message);
    if (comesLate(message)) return HELD_BACK;
    requests += 1;
    return requests % COMES_AGAIN_EVERY === 0 ? COMES_AGAIN : draw(message);
  };
}

/** Whether it is a request on its way to its node. */
function isRequest({ direction, topic }: SeenMessage): boolean {
  return direction === 'to_client' && topic.endsWith('/request');
}

/** Whether this request is to arrive when its time is over. */
function comesLate({ payload }: SeenMessage): boolean {
  const { payload: octets } = peekPayload(payload, { typ: 'muster-request', maxBytes: MAX_BYTES });
  const { issued_at, expires_at } = parsePayload(Request, octets);
  return Date.parse(expires_at) - Date.parse(issued_at) <= SHORT_LIFE_MS;
}

function sum<C extends Readonly<Record<string, number>>>(counts: readonly C[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const each of counts) for (const [kind, count] of Object.entries(each)) all[kind] = (all[kind] ?? 0) + count;
  return all;
}
