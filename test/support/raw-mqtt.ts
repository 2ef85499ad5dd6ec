import { createConnection, type Socket } from 'node:net';
import { generate, type Packet, parser } from 'mqtt-packet';
import { withDeadline } from '../../runtime/deadline.js';
import type { Credential, TestScope } from './broker.js';

const DEADLINE_MS = 10_000;

/** A bare socket that speaks whatever bytes a test wants. */
export type RawMqtt = Readonly<{
  socket: Socket;
  send: (packet: Packet | Uint8Array) => void;
  /** The next packet of this kind; those before it are dropped. Rejects when the connection ends first. */
  next: (cmd: Packet['cmd']) => Promise<Packet>;
  /** Resolves when the peer has ended the connection. */
  closed: Promise<void>;
}>;

/** Connects without saying anything; the socket is destroyed after the test. */
export async function openRaw(t: TestScope, port: number): Promise<RawMqtt> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  t.after(() => socket.destroy());
  const packets: Packet[] = [];
  let wake: () => void = () => undefined;
  const parse = parser();
  parse.on('packet', (packet) => {
    packets.push(packet);
    wake();
  });
  socket.on('data', (chunk) => parse.parse(chunk));
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  void closed.then(() => wake());
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));

  const take = async (cmd: Packet['cmd']): Promise<Packet> => {
    for (;;) {
      const packet = packets.shift();
      if (packet?.cmd === cmd) return packet;
      if (packet === undefined) {
        if (socket.destroyed) throw new Error(`the connection ended before ${cmd} came`);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  };
  return {
    socket,
    send: (packet) => {
      socket.write('cmd' in packet ? generate(packet) : packet);
    },
    next: (cmd) => withDeadline(take(cmd), DEADLINE_MS, cmd),
    closed: withDeadline(closed, 2 * DEADLINE_MS, 'the end of the connection'),
  };
}

/** A CONNECT packet of MQTT 3.1.1 with a clean session. */
export function connectPacket({ clientId, username, password }: Credential): Packet {
  return {
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 30 },
    ...{ clientId, username, password: Buffer.from(password) },
  };
}

/** A raw client that the broker has let in. */
export async function connectRaw(t: TestScope, port: number, credential: Credential): Promise<RawMqtt> {
  const raw = await openRaw(t, port);
  raw.send(connectPacket(credential));
  const connack = await raw.next('connack');
  if (connack.cmd !== 'connack' || connack.returnCode !== 0) throw new Error('the broker refused the raw client');
  return raw;
}
