// Passes TCP connections on to a socket in the file system, which network namespaces share: relay-child HOST PATH
import { connect, createServer } from 'node:net';
import { listen } from '../../../runtime/listen.js';
import { pipeBoth } from './pipe-both.js';

const [host = '', path = ''] = process.argv.slice(2);
const server = createServer((client) => pipeBoth(client.setNoDelay(true), connect({ path })));
process.once('disconnect', () => process.exit(0));
process.send?.({ port: await listen(server, { host, port: 0, what: 'relay' }) });
