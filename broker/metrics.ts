import { Counter, Gauge, Registry } from 'prom-client';
import { DENIAL_REASONS } from '../protocol/authorization.js';
import { VERSION } from '../runtime/version.js';
import { CONNECT_REFUSALS } from './authentication.js';

/** Everything that the broker refuses: a CONNECT, a connection, an operation. */
export const BROKER_DENIALS = [
  ...CONNECT_REFUSALS,
  ...DENIAL_REASONS,
  'connections',
  'packet_size',
  'filters',
  'slow',
  'expired',
  'revoked',
] as const;
export type BrokerDenial = (typeof BROKER_DENIALS)[number];

/** What the broker counts; the values start at 0. */
export type BrokerMetrics = Readonly<{
  /** Messages taken from clients. */
  countIn: () => void;
  /** Messages handed to clients. */
  countOut: () => void;
  countDenied: (reason: BrokerDenial) => void;
  totals: () => Readonly<{ in: number; out: number }>;
  render: () => Promise<{ body: string; contentType: string }>;
}>;

/** `clients` is asked at each scrape. */
export function createBrokerMetrics({ clients }: { clients: () => number }): BrokerMetrics {
  const registry = new Registry();
  const registers = [registry];
  /** Kept as plain numbers, since a labelled counter costs more than the rest of a message's accounting. */
  const totals = { in: 0, out: 0 };

  new Gauge({
    name: 'muster_broker_clients',
    help: 'Clients that are connected and admitted',
    registers,
    collect() {
      this.set(clients());
    },
  });
  new Counter({
    name: 'muster_broker_messages_total',
    help: 'MQTT messages taken from clients (in) and handed to clients (out)',
    labelNames: ['direction'],
    registers,
    collect() {
      this.reset();
      this.inc({ direction: 'in' }, totals.in);
      this.inc({ direction: 'out' }, totals.out);
    },
  });
  const denied = new Counter({
    name: 'muster_broker_denied_total',
    help: 'Connections, operations and deliveries that the broker refused, by reason',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of BROKER_DENIALS) denied.inc({ reason }, 0);
  new Gauge({
    name: 'muster_broker_build_info',
    help: 'The release, as labels; always 1',
    labelNames: ['version', 'node_version'],
    registers,
  }).set({ version: VERSION, node_version: process.version }, 1);

  return {
    countIn: () => {
      totals.in += 1;
    },
    countOut: () => {
      totals.out += 1;
    },
    countDenied: (reason) => denied.inc({ reason }),
    totals: () => ({ ...totals }),
    render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
  };
}
