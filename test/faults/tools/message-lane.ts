import type { Socket } from 'node:net';
import { generate, type IPublishPacket, type Packet } from 'mqtt-packet';

/** From the client to the broker, or back. */
export type Direction = 'to_broker' | 'to_client';

/**
 * One direction of a connection. It stands between the two ends with packet ids of its own, so that a message can be
 * lost, repeated or added and each end still sees exactly one acknowledgement for what it sent [MQTT-2.3.1-4].
 */
export type MessageLane = Readonly<{
  /** Delivers a PUBLISH; with `answers` its acknowledgement goes back to the sender under the sender's id. */
  deliver: (packet: IPublishPacket, answers: boolean) => void;
  /** Tells the sender that it was delivered, although it was not. */
  pretend: (packet: IPublishPacket) => void;
  /** Anything that is not a PUBLISH; SUBSCRIBE and UNSUBSCRIBE get an id of the lane's. */
  pass: (packet: Packet) => void;
  /** An acknowledgement from the receiver, on its way back to the sender. */
  acknowledge: (packet: Packet) => void;
  /** Writes the start of a packet and then ends the connection. */
  tear: (packet: Packet, bytesOf: (length: number) => number, ended: () => void) => void;
}>;

const MAX_PACKET_ID = 65_535;

/** A lane from one socket to the other. */
export function createMessageLane(from: Socket, to: Socket): MessageLane {
  /** The id that the receiver knows → the sender's; undefined when the sender is not waiting for it. */
  const waiting = new Map<number, number | undefined>();
  let newest = 0;

  function nextId(sendersId: number | undefined): number {
    do newest = newest === MAX_PACKET_ID ? 1 : newest + 1;
    while (waiting.has(newest));
    waiting.set(newest, sendersId);
    return newest;
  }

  const write = (packet: Packet): void => {
    if (to.writable) to.write(generate(packet));
  };
  return {
    deliver(packet, answers) {
      if (packet.qos === 0) return write(packet);
      write({ ...packet, messageId: nextId(answers ? packet.messageId : undefined) });
    },
    pretend({ qos, messageId }) {
      if (qos > 0 && messageId !== undefined && from.writable) from.write(generate({ cmd: 'puback', messageId }));
    },
    pass(packet) {
      if (packet.cmd !== 'subscribe' && packet.cmd !== 'unsubscribe') return write(packet);
      write({ ...packet, messageId: nextId(packet.messageId) });
    },
    acknowledge(packet) {
      const { messageId } = packet;
      if (messageId === undefined) return;
      const sendersId = waiting.get(messageId);
      waiting.delete(messageId);
      if (sendersId !== undefined && from.writable) from.write(generate({ ...packet, messageId: sendersId }));
    },
    tear(packet, bytesOf, ended) {
      const bytes = generate(packet);
      if (to.writable) to.write(bytes.subarray(0, bytesOf(bytes.length)), ended);
      else ended();
    },
  };
}
