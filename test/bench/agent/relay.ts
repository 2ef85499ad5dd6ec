import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../../../runtime/listen.js';

/** A relay between agent and broker that counts the bytes of both directions, as TCP carries them. */
export type Relay = Readonly<{ url: string; bytes: () => number; stop: () => Promise<void> }>;

/** Listens on a free port of loopback. */
export async function startRelay(brokerUrl: string): Promise<Relay> {
  const { hostname, port } = new URL(brokerUrl);
  let bytes = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (part) => {
        bytes += part.length;
      });
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  });
  const own = await listen(server, { host: '127.0.0.1', port: 0, what: 'relay' });
  return {
    url: `mqtt://127.0.0.1:${own}`,
    bytes: () => bytes,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
