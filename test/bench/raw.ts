import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { signBrokerToken } from '../../protocol/broker-token.js';
import type { SigningKey } from '../../protocol/envelope.js';
import { topicFilter, topicName } from '../../protocol/topics.js';
import { withDeadline } from '../../runtime/deadline.js';
import { cut } from './fleet.js';
import { type Started, startScript } from './processes.js';
import { measureRoundTrips, type RoundTrips } from './statistics.js';

/** Where the broker is and who may sign its passwords. */
export type BrokerAccess = Readonly<{
  url: string;
  scope: { prefix: string; org: string };
  signer: SigningKey;
  directory: string;
}>;

const PAYLOAD_BYTES = 500;
/** As many as there are agents in a process of a fleet. */
const PEERS_PER_PROCESS = 2_500;
const ANSWER_MS = 120_000;

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

/**
 * One publish on the fleet topic until each bare client has answered. The clients become more from one count to the
 * next; gives the milliseconds of each round by count.
 */
export async function measureRawFanOut(
  access: BrokerAccess,
  counts: readonly number[],
  rounds: number,
): Promise<Map<number, number[]>> {
  const peers: Started[] = [];
  const client = await connectController(access);
  let missing = 0;
  let done: () => void = () => undefined;
  client.on('message', () => {
    missing -= 1;
    if (missing === 0) done();
  });
  await client.subscribeAsync(topicFilter(access.scope, 'result'), { qos: 1 });
  const topic = topicName(access.scope, 'fleet_request', {});
  const measured = new Map<number, number[]>();
  for (const [index, count] of counts.entries()) {
    peers.push(...(await startPeers(access, counts[index - 1] ?? 0, count)));
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const answered = new Promise<void>((resolve) => {
        missing = count;
        done = resolve;
      });
      const startMs = performance.now();
      client.publish(topic, Buffer.alloc(PAYLOAD_BYTES, 120), { qos: 1 });
      await withDeadline(answered, ANSWER_MS, 'the answers of the raw clients');
      times.push(performance.now() - startMs);
    }
    measured.set(count, times);
  }
  await client.endAsync();
  for (const { stop } of peers) await stop();
  return measured;
}

function startPeers(access: BrokerAccess, from: number, to: number): Promise<Started[]> {
  const parts = cut({ from, to, most: PEERS_PER_PROCESS });
  return Promise.all(
    parts.map(({ first, length }) => {
      const ids = Array.from({ length }, (_, index) => `raw-${first + index}`);
      return startScript('raw-peers.ts', peerArguments(access, ids));
    }),
  );
}

function peerArguments({ url, scope, signer, directory }: BrokerAccess, ids: readonly string[]): string[] {
  const file = join(directory, `raw-peers-${ids[0]}.json`);
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
