import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import { parseDuration } from '../protocol/durations.js';
import type { Clock } from '../runtime/clock.js';
import { withDeadline } from '../runtime/deadline.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { type MetricsServer, startMetricsServer } from '../runtime/metrics-server.js';
import { type Clients, createClients } from './clients.js';
import type { BrokerConfig } from './config.js';
import { createConnectionSlots } from './connection-slots.js';
import { createDenials, type NoteDenial } from './denials.js';
import { type KeySource, startKeyListFile } from './key-list-file.js';
import { type Listeners, startListeners } from './listeners.js';
import { createBrokerMetrics } from './metrics.js';
import { createPersistence } from './persistence.js';
import { createRules } from './rules.js';
import { guardStream } from './stream-guard.js';
import { startSysTopics } from './sys-topics.js';

/** A broker that listens. */
export type RunningBroker = Running & Readonly<{ port: number; tlsPort?: number; metricsPort: number }>;

const SWEEP_MS = 1000;
const STOP_TIMEOUT_MS = 1500;

/**
 * Starts the broker: keys, metrics, then the listeners. It moves bytes between clients that a key of the list vouches
 * for, as `denialOf` allows, and keeps nothing but retained messages, in memory.
 * @throws {MusterError} config_invalid, port_in_use
 */
export async function startBroker({
  config,
  log,
  clock,
  keys,
}: {
  config: BrokerConfig;
  log: Logger;
  clock: Clock;
  /** Who vouches for clients; the key list in `keys_file` when absent. */
  keys?: KeySource;
}): Promise<RunningBroker> {
  const { org, root_file: rootFile, keys_file: keysFile } = config;
  const source = keys ?? startKeyListFile({ rootFile, keysFile, org, clock, log });
  const clients = createClients();
  const metrics = createBrokerMetrics({ clients: () => clients.ready });
  const deny = createDenials({ log, clock, metrics });
  const aedes = await Aedes.createBroker({
    ...createRules({ config, clients, keyOf: source.keyOf, metrics, deny, clock }),
    persistence: createPersistence(config),
    connectTimeout: parseDuration(config.connect_timeout) ?? 0,
    drainTimeout: parseDuration(config.drain_timeout) ?? 0,
    concurrency: 0, // unlimited: each connection has one chunk in work, and a shared bound would let one stall all
  });
  reportClients(aedes, clients, log);
  const stopSysTopics = startSysTopics({ aedes, clients, metrics, clock });
  const sweep = setInterval(() => endLapsed(clients, source, { deny, nowMs: clock.nowMs() }), SWEEP_MS);

  let metricsServer: MetricsServer | undefined;
  let listeners: Listeners | undefined;
  async function stop(): Promise<void> {
    clearInterval(sweep);
    stopSysTopics();
    source.stop();
    const closed = new Promise<void>((done) => aedes.close(done));
    await withDeadline(closed, STOP_TIMEOUT_MS, 'closing the clients').catch((err: unknown) => {
      log.warn({ err }, 'clients did not close in time'); // their sockets are destroyed next
    });
    await Promise.all([listeners?.stop(), metricsServer?.stop()]);
  }

  try {
    const { metrics_host: host, metrics_port: port } = config;
    metricsServer = await startMetricsServer({ host, port, render: metrics.render, notReady: source.notReady });
    listeners = await startListeners({
      config,
      log,
      slots: createConnectionSlots({ total: config.max_connections, perAddress: config.max_connections_per_ip }),
      accept: (stream, address) => serve(stream, address, { aedes, clients, deny }),
      onFull: (address) => deny('connections', { address }),
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const { port, tlsPort } = listeners;
  log.info({ host: config.host, port, tlsPort, metricsPort: metricsServer.port }, 'broker listens');
  return { port, ...(tlsPort === undefined ? {} : { tlsPort }), metricsPort: metricsServer.port, stop };
}

function serve(
  stream: Duplex,
  address: string,
  { aedes, clients, deny }: { aedes: Aedes; clients: Clients; deny: NoteDenial },
): void {
  const guard = guardStream(stream, { onViolation: (reason) => deny(reason, { clientId: client.id, address }) });
  const client = aedes.handle(stream);
  clients.add(client, { address, guard });
  stream.once('close', () => clients.remove(client));
}

function reportClients(aedes: Aedes, clients: Clients, log: Logger): void {
  aedes.on('clientReady', (client) => {
    const takenOver = clients.markReady(client) !== undefined;
    const record = clients.of(client);
    const { role } = record?.admission?.principal ?? {};
    log.info({ clientId: client.id, role, address: record?.address, takenOver }, 'client connected');
  });
  aedes.on('clientDisconnect', (client) => log.info({ clientId: client.id }, 'client disconnected'));
  aedes.on('clientError', (client, err) => log.debug({ clientId: client.id, err }, 'client connection broke'));
  aedes.on('connectionError', (_client, err) => log.debug({ err }, 'connection broke before it was admitted'));
}

/** Ends what was let in by a password that has run out, or by a key that is no longer believed. */
function endLapsed(clients: Clients, keys: KeySource, { deny, nowMs }: { deny: NoteDenial; nowMs: number }): void {
  for (const { client, admission } of clients.connected()) {
    if (admission === undefined) continue;
    const lapsed =
      admission.expiresAtMs <= nowMs ? 'expired' : keys.keyOf(admission.kid) === undefined ? 'revoked' : undefined;
    if (lapsed === undefined) continue;
    deny(lapsed, { clientId: client.id });
    client.close();
  }
}
