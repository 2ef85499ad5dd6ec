import { connect, createServer } from 'node:net';
import { listen } from '../../../runtime/listen.js';
import type { Fate, SeenMessage } from './fates.js';
import { type Counts, type FaultyConnection, joinSockets } from './faulty-connection.js';
import { createMessageMemory } from './message-memory.js';

/** A broker as its worst: it speaks MQTT and does with each message what the scenario says. */
export type FaultProxy = Readonly<{
  url: string;
  port: number;
  counts: () => Readonly<Counts>;
  /** From now on each message gets the fate that this gives it. */
  decideBy: (decide: (message: SeenMessage) => Fate) => void;
  /** Ends every connection without a word, as when the power fails. */
  cutAll: () => void;
  /** From now on nothing passes on the connections that there are, and neither end is told when the other gives up. */
  freezeAll: () => void;
  stop: () => Promise<void>;
}>;

export type FaultProxyOptions = Readonly<{
  /** Asked at each connection: a broker may come back on another port. */
  brokerPort: () => number;
  decide: (message: SeenMessage) => Fate;
  random: () => number;
}>;

/** Listens on a free port of 127.0.0.1 and passes connections on to the broker. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  let { decide } = options;
  const counts: Counts = { passed: 0, lost: 0, repeated: 0, delayed: 0, replayed: 0, cut: 0, frozen: 0 };
  const { random } = options;
  const deps = {
    memory: createMessageMemory(random),
    counts,
    decide: (message: SeenMessage) => decide(message),
    random,
  };
  const connections = new Set<FaultyConnection>();
  const server = createServer((client) => {
    const broker = connect({ port: options.brokerPort(), host: '127.0.0.1', noDelay: true });
    const connection = joinSockets(deps, { client: client.setNoDelay(true), broker }, () =>
      connections.delete(connection),
    );
    connections.add(connection);
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'fault proxy' });
  const cutAll = (): void => {
    for (const connection of [...connections]) connection.cut();
  };
  return {
    ...{ port, url: `mqtt://127.0.0.1:${port}`, cutAll },
    counts: () => ({ ...counts }),
    decideBy(next) {
      decide = next;
    },
    freezeAll() {
      for (const connection of connections) connection.freeze();
    },
    async stop() {
      cutAll();
      await new Promise((closed) => server.close(closed));
    },
  };
}
