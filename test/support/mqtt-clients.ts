import { connect, connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { Packet } from 'mqtt-packet';
import { withDeadline } from '../../runtime/deadline.js';
import type { Credential, TestScope } from './broker.js';

const DEADLINE_MS = 10_000;

/** One message that a client got. */
export type Received = Readonly<{ topic: string; text: string; retain: boolean; qos: number }>;

/** A plain MQTT client with a clean session that does not come back by itself; ended after the test. */
export async function connectClient(
  t: TestScope,
  url: string,
  options: Credential & IClientOptions,
): Promise<MqttClient> {
  const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 4, ...options }, false);
  client.on('error', () => undefined);
  t.after(() => client.endAsync(true));
  return client;
}

/** The CONNACK return code of a CONNECT that the broker refuses, or `closed`; fails when the client is let in. */
export async function refusalOf(url: string, options: IClientOptions): Promise<number | 'closed'> {
  const client = connect(url, { reconnectPeriod: 0, protocolVersion: 4, ...options });
  try {
    return await withDeadline(
      new Promise<number | 'closed'>((resolve, reject) => {
        client.on('connect', () => reject(new Error('the broker let the client in')));
        client.on('error', (error) => {
          if ('code' in error && typeof error.code === 'number') resolve(error.code);
        });
        client.on('close', () => resolve('closed'));
      }),
      DEADLINE_MS,
      'the refusal',
    );
  } finally {
    client.end(true);
  }
}

/** The next message of this client. Ask before you cause it. */
export function nextMessage(client: MqttClient): Promise<Received> {
  const message = new Promise<Received>((resolve) =>
    client.once('message', (topic, payload, { retain, qos }) =>
      resolve({ topic, text: payload.toString(), retain, qos }),
    ),
  );
  return withDeadline(message, DEADLINE_MS, 'a message');
}

/** Resolves when the connection has ended. Ask before you cause it. */
export async function whenClosed(client: MqttClient): Promise<void> {
  if (!client.connected) return;
  let onClose: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    onClose = resolve;
    client.once('close', onClose);
  });
  await withDeadline(closed, DEADLINE_MS, 'the end of the connection').finally(() => client.off('close', onClose));
}

/** The granted QoS of each filter, 128 for those that were refused. */
export async function grantsOf(client: MqttClient, filters: readonly string[], qos: 0 | 1 | 2 = 1): Promise<number[]> {
  let onPacket: (packet: Packet) => void = () => undefined;
  const grants = new Promise<number[]>((resolve) => {
    onPacket = (packet) => {
      if (packet.cmd === 'suback') resolve(packet.granted.map(Number));
    };
    client.on('packetreceive', onPacket);
  });
  client.subscribe([...filters], { qos }, () => undefined);
  return withDeadline(grants, DEADLINE_MS, 'SUBACK').finally(() => client.off('packetreceive', onPacket));
}
