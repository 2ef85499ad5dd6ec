// Passes TCP connections on to a socket in the file system, which network namespaces share: relay-child HOST PATH
import { connect, createServer } from 'node:net';
import { listen } from '../../../runtime/listen.js';

const [host = '', path = ''] = process.argv.slice(2);
const server = createServer((client) => {
  const far = connect({ path });
  for (const [socket, other] of [
    [client, far],
    [far, client],
  ] as const) {
    socket.on('error', () => undefined);
    socket.on('close', () => other.destroy());
  }
  client.setNoDelay(true).pipe(far);
  far.pipe(client);
});
process.once('disconnect', () => process.exit(0));
process.send?.({ port: await listen(server, { host, port: 0, what: 'relay' }) });
