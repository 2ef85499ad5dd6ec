// N bare MQTT clients in one process. Each answers what comes on its node's request topic or the fleet's with the same
// bytes on its result topic. Arguments: URL, prefix, org, then a JSON file of {nodes: [{id, password}]}.
import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { topicName } from '../../protocol/topics.js';

const [url = '', prefix = '', org = '', file = ''] = process.argv.slice(2);
const { nodes }: { nodes: { id: string; password: string }[] } = JSON.parse(readFileSync(file, 'utf8'));
const scope = { prefix, org };
/** Thousands come at once. */
const CONNECT_MS = 120_000;

async function startPeer({ id, password }: { id: string; password: string }): Promise<void> {
  const client = await connectAsync(url, {
    ...{ clientId: id, username: id, password, clean: true, writeCache: false },
    connectTimeout: CONNECT_MS,
  });
  noDelay(client.stream);
  const reply = topicName(scope, 'result', { node: id });
  client.on('message', (_, payload) => client.publish(reply, payload, { qos: 1 }));
  await client.subscribeAsync([topicName(scope, 'node_request', { node: id }), topicName(scope, 'fleet_request', {})], {
    qos: 1,
  });
}

function noDelay(stream: object): void {
  const set: unknown = Reflect.get(stream, 'setNoDelay');
  if (typeof set === 'function') set.call(stream, true);
}

for (let at = 0; at < nodes.length; at += 50) await Promise.all(nodes.slice(at, at + 50).map(startPeer));
process.send?.({ ready: { peers: nodes.length } });
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
