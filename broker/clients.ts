import type { Client } from 'aedes';
import type { Admission, ConnectAsk } from './authentication.js';
import type { StreamGuard } from './stream-guard.js';
import { NO_THROTTLE, type Throttle } from './throttle.js';

/** What the broker knows of one connection. */
export type ClientRecord = {
  readonly client: Client;
  readonly address: string;
  readonly guard: StreamGuard;
  /** What its CONNECT asked for; undefined before that came and after it was decided. */
  ask: ConnectAsk | undefined;
  /** Who it is; undefined until its password was checked. */
  admission: Admission | undefined;
  throttle: Throttle;
  /** The Topic Filters that it holds. */
  readonly filters: Set<string>;
};

/** The connections of the broker, admitted or not. */
export type Clients = Readonly<{
  add: (client: Client, stream: Readonly<{ address: string; guard: StreamGuard }>) => void;
  remove: (client: Client) => void;
  /** Also of a connection that has just ended: its Will is decided after its end. */
  of: (client: Client) => ClientRecord | undefined;
  /** Everything that is connected. */
  connected: () => Iterable<ClientRecord>;
  /** A client was told that it is in; gives the older connection of the same id, which it took over. */
  markReady: (client: Client) => ClientRecord | undefined;
  /** How many clients are in. */
  readonly ready: number;
}>;

/** An empty set of connections. */
export function createClients(): Clients {
  const records = new WeakMap<Client, ClientRecord>();
  const connected = new Set<ClientRecord>();
  /** Those that are in, by client id. */
  const ready = new Map<string, ClientRecord>();
  return {
    add(client, { address, guard }) {
      const blank = { ask: undefined, admission: undefined, throttle: NO_THROTTLE, filters: new Set<string>() };
      const record = { client, address, guard, ...blank };
      records.set(client, record);
      connected.add(record);
    },
    remove(client) {
      const record = records.get(client);
      if (record === undefined) return;
      record.throttle.stop();
      connected.delete(record);
      if (ready.get(client.id) === record) ready.delete(client.id);
    },
    of: (client) => records.get(client),
    connected: () => connected,
    markReady(client) {
      const older = ready.get(client.id);
      const record = records.get(client);
      if (record !== undefined && connected.has(record)) ready.set(client.id, record);
      return older;
    },
    get ready() {
      return ready.size;
    },
  };
}
