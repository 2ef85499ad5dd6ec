import type { Socket } from 'node:net';
import { type IPublishPacket, type Packet, parser } from 'mqtt-packet';
import type { Fate, SeenMessage } from './fates.js';
import { createMessageLane, type Direction, type MessageLane } from './message-lane.js';
import type { MessageMemory } from './message-memory.js';

/** What a proxy has done so far, in messages and links. */
export type Counts = Record<'passed' | 'lost' | 'repeated' | 'delayed' | 'replayed' | 'cut' | 'frozen', number>;

/** What the connections of one proxy share. */
export type FaultDeps = Readonly<{
  memory: MessageMemory;
  counts: Counts;
  decide: (message: SeenMessage) => Fate;
  random: () => number;
}>;

export type FaultyConnection = Readonly<{
  /** Ends both sockets. */
  cut: () => void;
  /** From now on nothing passes, and neither end is told when the other gives up. */
  freeze: () => void;
}>;

/** Joins the two sockets of one connection; `ended` is called once both have ended. */
export function joinSockets(
  { memory, counts, decide, random }: FaultDeps,
  { client, broker }: Readonly<{ client: Socket; broker: Socket }>,
  ended: () => void,
): FaultyConnection {
  const lanes: Readonly<Record<Direction, MessageLane>> = {
    to_broker: createMessageLane(client, broker),
    to_client: createMessageLane(broker, client),
  };
  const timers = new Set<NodeJS.Timeout>();
  let clientId = '';
  let isFrozen = false;

  const cut = (): void => {
    client.destroy();
    broker.destroy();
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  };
  const freeze = (): void => {
    isFrozen = true;
  };
  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!isFrozen) act();
    }, ms);
    timers.add(timer);
  };

  function take(direction: Direction, packet: Packet): void {
    if (isFrozen) return;
    if (packet.cmd === 'connect') clientId = packet.clientId;
    if (packet.cmd === 'publish') takePublish(direction, packet);
    else if (packet.cmd === 'puback' || packet.cmd === 'suback' || packet.cmd === 'unsuback') {
      lanes[direction === 'to_broker' ? 'to_client' : 'to_broker'].acknowledge(packet);
    } else lanes[direction].pass(packet);
  }

  function takePublish(direction: Direction, packet: IPublishPacket): void {
    const lane = lanes[direction];
    const message = { direction, clientId, topic: packet.topic, payload: Buffer.from(packet.payload) };
    const { deliverAfterMs, replays, link } = decide(message);
    for (let replay = 0; replay < replays; replay += 1) {
      const older = memory.draw(message);
      if (older === undefined) break;
      counts.replayed += 1;
      lane.deliver(older, false);
    }
    memory.keep(message, packet);
    if (link === 'stays') {
      schedule(lane, packet, deliverAfterMs);
      return;
    }
    counts[link] += 1;
    freeze(); // nothing may follow the torn packet, as if it were its rest
    if (link === 'cut') lane.tear(packet, (length) => 1 + Math.floor(random() * (length - 1)), cut);
  }

  function schedule(lane: MessageLane, packet: IPublishPacket, deliverAfterMs: readonly number[]): void {
    count(deliverAfterMs);
    if (deliverAfterMs.length === 0) lane.pretend(packet);
    for (const [nth, ms] of deliverAfterMs.entries()) {
      if (ms <= 0) lane.deliver(packet, nth === 0);
      else later(ms, () => lane.deliver(packet, nth === 0));
    }
  }

  function count(deliverAfterMs: readonly number[]): void {
    if (deliverAfterMs.length === 0) counts.lost += 1;
    else if (deliverAfterMs.length > 1) counts.repeated += 1;
    else if ((deliverAfterMs[0] ?? 0) > 0) counts.delayed += 1;
    else counts.passed += 1;
  }

  function end(): void {
    if (!isFrozen) cut();
    if (client.destroyed && broker.destroyed) ended();
  }

  for (const [direction, from] of [
    ['to_broker', client],
    ['to_client', broker],
  ] as const) {
    const parse = parser();
    parse.on('packet', (packet) => take(direction, packet));
    parse.on('error', cut);
    from.on('data', (bytes) => parse.parse(bytes));
    from.on('error', () => undefined);
    from.on('close', end);
  }
  return { cut, freeze };
}
