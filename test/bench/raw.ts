import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { signBrokerToken } from '../../protocol/broker-token.js';
import type { SigningKey } from '../../protocol/envelope.js';
import { topicFilter, topicName } from '../../protocol/topics.js';
import { startScript } from './processes.js';
import { measureRoundTrips, type RoundTrips } from './statistics.js';

/** Where the broker is and who may sign its passwords. */
export type BrokerAccess = Readonly<{
  url: string;
  scope: { prefix: string; org: string };
  signer: SigningKey;
  directory: string;
}>;

const PAYLOAD_BYTES = 500;

/** Two bare MQTT clients and the embedded broker, each a process: publish, be answered with the same bytes. */
export async function measureRawEcho(
  access: BrokerAccess,
  inFlights: readonly number[],
  seconds: number,
): Promise<RoundTrips[]> {
  const peers = await startScript('raw-peers.ts', peerArguments(access, ['raw-echo']));
  const client = await connectController(access);
  const waiting = new Map<number, () => void>();
  client.on('message', (_, payload) => waiting.get(payload.readUInt32BE(0))?.());
  await client.subscribeAsync(topicFilter(access.scope, 'result'), { qos: 1 });
  const topic = topicName(access.scope, 'node_request', { node: 'raw-echo' });
  let next = 0;
  const call = (): Promise<void> =>
    new Promise((done) => {
      const id = next++;
      const payload = Buffer.alloc(PAYLOAD_BYTES, 120);
      payload.writeUInt32BE(id, 0);
      waiting.set(id, () => {
        waiting.delete(id);
        done();
      });
      client.publish(topic, payload, { qos: 1 });
    });
  const measured: RoundTrips[] = [];
  for (const inFlight of inFlights) measured.push(await measureRoundTrips(call, { inFlight, seconds }));
  await client.endAsync();
  await peers.stop();
  return measured;
}

/** One publish on the fleet topic to this many bare clients until each has answered; milliseconds per round. */
export async function measureRawFanOut(access: BrokerAccess, peerCount: number, rounds: number): Promise<number[]> {
  const ids = Array.from({ length: peerCount }, (_, index) => `raw-${index}`);
  const peers = await startScript('raw-peers.ts', peerArguments(access, ids));
  const client = await connectController(access);
  let missing = 0;
  let done: () => void = () => undefined;
  client.on('message', () => {
    missing -= 1;
    if (missing === 0) done();
  });
  await client.subscribeAsync(topicFilter(access.scope, 'result'), { qos: 1 });
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const answered = new Promise<void>((resolve) => {
      missing = peerCount;
      done = resolve;
    });
    const startMs = performance.now();
    client.publish(topicName(access.scope, 'fleet_request', {}), Buffer.alloc(PAYLOAD_BYTES, 120), { qos: 1 });
    await answered;
    times.push(performance.now() - startMs);
  }
  await client.endAsync();
  await peers.stop();
  return times;
}

function peerArguments({ url, scope, signer, directory }: BrokerAccess, ids: readonly string[]): string[] {
  const file = join(directory, 'raw-peers.json');
  const nodes = ids.map((id) => ({ id, password: password({ scope, signer }, 'node', id) }));
  writeFileSync(file, JSON.stringify({ nodes }), { mode: 0o600 });
  return [url, scope.prefix, scope.org, file];
}

async function connectController(access: BrokerAccess): Promise<MqttClient> {
  const id = 'ctl-raw';
  const client = await connectAsync(access.url, {
    clientId: id,
    username: id,
    password: password(access, 'controller', id),
    clean: true,
  });
  const noDelay: unknown = Reflect.get(client.stream, 'setNoDelay');
  if (typeof noDelay === 'function') noDelay.call(client.stream, true);
  return client;
}

function password(
  { scope, signer }: Pick<BrokerAccess, 'scope' | 'signer'>,
  role: 'node' | 'controller',
  id: string,
): string {
  const iat = Math.floor(Date.now() / 1000);
  return signBrokerToken({ org: scope.org, sub: id, role, groups: [], iat, exp: iat + 3600 }, signer);
}
