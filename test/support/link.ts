import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../../runtime/listen.js';
import type { TestScope } from './broker.js';

/** A link to a broker, or to another server, that a test can disturb. */
export type Link = Readonly<{
  url: string;
  port: number;
  /** From now on nothing that the broker says comes through; what the client says still does. */
  mute: () => void;
  /** From now on what the client says waits, until `heal`; what the broker says still comes. */
  silence: () => void;
  heal: () => void;
  /** From now on nothing passes either way and nobody is told, as when a cable is pulled; new connections neither. */
  block: () => void;
  unblock: () => void;
  /** Ends every connection without a word, as when the power fails. */
  cut: () => void;
}>;

/** Passes bytes between clients and a broker on this machine. */
export async function startLink(t: TestScope, brokerPort: number): Promise<Link> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isBlocked = false;
  const cut = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    pairs.clear();
  };
  const server = createServer((client) => {
    const broker = connect({ port: brokerPort, host: '127.0.0.1', noDelay: true });
    for (const socket of [client, broker]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        broker.destroy();
      });
    }
    client.setNoDelay(true);
    if (!isBlocked) join(client, broker);
    pairs.add([client, broker]);
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'a link' });
  t.after(() => {
    cut();
    return new Promise((closed) => server.close(closed));
  });
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    cut,
    block() {
      isBlocked = true;
      for (const [client, broker] of pairs) {
        client.unpipe(broker).pause();
        broker.unpipe(client).pause();
      }
    },
    unblock() {
      isBlocked = false;
      for (const [client, broker] of pairs) join(client, broker);
    },
    silence: () => {
      for (const [client, broker] of pairs) client.unpipe(broker).pause();
    },
    heal: () => {
      for (const [client, broker] of pairs) client.pipe(broker);
    },
    mute: () => {
      for (const [client, broker] of pairs) broker.unpipe(client).resume();
    },
  };
}

function join(client: Socket, broker: Socket): void {
  client.pipe(broker);
  broker.pipe(client);
}
