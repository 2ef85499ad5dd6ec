import { createServer } from 'node:net';
import { listen } from '../../runtime/listen.js';

/** A port of 127.0.0.1 that is free now, for a program that cannot tell which one it got. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'a free port' });
  await new Promise((closed) => server.close(closed));
  return port;
}
