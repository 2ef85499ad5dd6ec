import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { Aedes } from 'aedes';
import { parseDuration } from '../protocol/durations.js';
import type { Clock } from '../runtime/clock.js';
import { withDeadline } from '../runtime/deadline.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { startUsualMetricsServer } from '../runtime/metrics-server.js';
import { isVoid } from './authentication.js';
import { type Clients, createClients } from './clients.js';
import type { BrokerConfig } from './config.js';
import { createConnectionSlots } from './connection-slots.js';
import { createDenials, type NoteDenial } from './denials.js';
import { startFetchedLists } from './fetched-lists.js';
import { type KeySource, readRoot, startKeyListFile } from './key-list-file.js';
import { type Ports, startListeners } from './listeners.js';
import { createBrokerMetrics } from './metrics.js';
import { createPersistence } from './persistence.js';
import { type RevocationSource, startRevocationsFile } from './revocations-file.js';
import { createRules } from './rules.js';
import { guardStream } from './stream-guard.js';
import { startSysTopics } from './sys-topics.js';

/** A broker that listens. */
export type RunningBroker = Running & Ports & Readonly<{ metricsPort: number }>;

const METRICS_PORT = 9465;
const SWEEP_MS = 1000;
const STOP_TIMEOUT_MS = 1500;

/**
 * Starts the broker: keys, metrics, then the listeners. It moves bytes between clients that a key of the list vouches
 * for, as `denialOf` allows, and keeps nothing but retained messages, in memory.
 * @throws {MusterError} config_invalid, port_in_use, unavailable (no key list), data_dir_unusable
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
  const stopFetching = await fetchLists(config, log);
  let source: KeySource;
  try {
    source = keys ?? startKeyListFile({ rootFile, keysFile, org, clock, log });
  } catch (error) {
    await stopFetching();
    throw error;
  }
  const revocations = startRevocationsFile({ file: revocationsFileOf(config), org, keyOf: source.keyOf, log });
  const clients = createClients();
  const metrics = createBrokerMetrics({ clients: () => clients.ready });
  const deny = createDenials({ log, clock, metrics });
  const stops: (() => void | Promise<void>)[] = [stopFetching, source.stop, revocations.stop];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };

  try {
    const rules = createRules({
      config,
      clients,
      keyOf: source.keyOf,
      isRevoked: revocations.isRevoked,
      metrics,
      deny,
      clock,
    });
    const aedes = await startAedes(config, rules);
    stops.push(() => closeAedes(aedes, log));
    followClients(aedes, clients, log);
    stops.push(startSysTopics({ aedes, clients, metrics, clock }));
    const sweep = setInterval(
      () => endLapsed(clients, { source, revocations }, { deny, nowMs: clock.nowMs() }),
      SWEEP_MS,
    );
    stops.push(() => clearInterval(sweep));

    const server = await startUsualMetricsServer(
      { chosen: config.metrics_port, usual: METRICS_PORT },
      { host: config.metrics_host, render: metrics.render, notReady: source.notReady },
    );
    stops.push(server.stop);
    const listeners = await startListeners({
      config,
      log,
      slots: createConnectionSlots({ total: config.max_connections, perAddress: config.max_connections_per_ip }),
      accept: (stream, address) => serve(stream, address, { aedes, clients, deny }),
      onFull: (address) => deny('connections', { address }),
    });
    stops.push(listeners.stop);
    log.info({ host: config.host, ...listeners.ports, metricsPort: server.port }, 'broker listens');
    return { ...listeners.ports, metricsPort: server.port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where the lists come from when nobody else brings them into their files. */
async function fetchLists(config: BrokerConfig, log: Logger): Promise<() => Promise<void>> {
  const { controller_url: url, org, root_file: rootFile, keys_file: keysFile } = config;
  if (url === undefined) return async () => undefined;
  const root = readRoot(rootFile);
  return startFetchedLists({ url, org, root, keysFile, revocationsFile: revocationsFileOf(config), log });
}

/** The controller writes both files into one directory. */
function revocationsFileOf({ revocations_file, keys_file }: BrokerConfig): string {
  return revocations_file ?? join(dirname(keys_file), 'revocations.jws');
}

function startAedes(config: BrokerConfig, rules: ReturnType<typeof createRules>): Promise<Aedes> {
  return Aedes.createBroker({
    ...rules,
    persistence: createPersistence(config),
    connectTimeout: parseDuration(config.connect_timeout) ?? 0,
    drainTimeout: parseDuration(config.drain_timeout) ?? 0,
    concurrency: 0, // unlimited: each connection has one chunk in work, and a shared bound would let one stall all
  });
}

async function closeAedes(aedes: Aedes, log: Logger): Promise<void> {
  const closed = new Promise<void>((done) => aedes.close(done));
  await withDeadline(closed, STOP_TIMEOUT_MS, 'closing the clients').catch((err: unknown) => {
    log.warn({ err }, 'clients did not close in time');
  });
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

function followClients(aedes: Aedes, clients: Clients, log: Logger): void {
  aedes.on('clientReady', (client) => {
    const takenOver = clients.markReady(client) !== undefined;
    const record = clients.of(client);
    const { role } = record?.admission?.principal ?? {};
    log.info({ clientId: client.id, role, address: record?.address, takenOver }, 'client connected');
  });
  aedes.on('unsubscribe', (filters, client) => {
    for (const filter of filters) clients.of(client)?.filters.delete(filter);
  });
  aedes.on('clientDisconnect', (client) => log.info({ clientId: client.id }, 'client disconnected'));
  aedes.on('clientError', (client, err) => log.debug({ clientId: client.id, err }, 'client connection broke'));
  aedes.on('connectionError', (_client, err) => log.debug({ err }, 'connection broke before it was admitted'));
}

/** Ends what was let in by a password that has run out, by a key that is no longer believed, or before it was removed. */
function endLapsed(
  clients: Clients,
  { source, revocations }: { source: KeySource; revocations: RevocationSource },
  { deny, nowMs }: { deny: NoteDenial; nowMs: number },
): void {
  for (const { client, admission } of clients.connected()) {
    if (admission === undefined) continue;
    const isRevoked = source.keyOf(admission.kid) === undefined || isVoid(admission, revocations.isRevoked);
    const lapsed = admission.expiresAtMs <= nowMs ? 'expired' : isRevoked ? 'revoked' : undefined;
    if (lapsed === undefined) continue;
    deny(lapsed, { clientId: client.id });
    client.close();
  }
}
