import type { IPublishPacket } from 'mqtt-packet';
import type { SeenMessage } from './fates.js';

/** Messages that have passed, each with the same chance of being kept however old it is. */
export type MessageMemory = Readonly<{
  keep: (message: SeenMessage, packet: IPublishPacket) => void;
  /** An older message of the same client and direction; undefined when there is none. */
  draw: (of: Pick<SeenMessage, 'clientId' | 'direction'>) => IPublishPacket | undefined;
}>;

type Kept = { seen: number; readonly packets: IPublishPacket[] };

const MAX_KEPT = 300;

/** A memory of at most 300 messages for each client and direction (reservoir sampling: J. S. Vitter, 1985). */
export function createMessageMemory(random: () => number): MessageMemory {
  /** By client id and direction. */
  const kept = new Map<string, Kept>();
  return {
    keep({ clientId, direction }, packet) {
      const key = `${direction} ${clientId}`;
      const known = kept.get(key) ?? { seen: 0, packets: [] };
      kept.set(key, known);
      const place = known.packets.length < MAX_KEPT ? known.packets.length : Math.floor(random() * (known.seen + 1));
      known.seen += 1;
      if (place < MAX_KEPT) known.packets[place] = packet;
    },
    draw({ clientId, direction }) {
      const { packets } = kept.get(`${direction} ${clientId}`) ?? { packets: [] };
      return packets[Math.floor(random() * packets.length)];
    },
  };
}
