import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Registry as MetricsRegistry } from 'prom-client';
import { parseDuration } from '../protocol/durations.js';
import { isMusterError, MusterError } from '../protocol/errors.js';
import { toId } from '../protocol/ids.js';
import type { Clock } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import { type KeyPair, loadOrCreateKey } from '../runtime/key-file.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { startUsualMetricsServer } from '../runtime/metrics-server.js';
import { startActions } from './actions/start-actions.js';
import { ACTIONS_DEFAULTS, type ActionsConfig } from './actions-config.js';
import type { AgentConfig, MeshConfig } from './config.js';
import { enroll } from './enroll.js';
import { createExecutor } from './executor/executor.js';
import type { Speaker } from './executor/to-result.js';
import { createIdentityFile, type Identity, loadIdentity, saveIdentity } from './identity.js';
import { openJournal } from './journal/journal.js';
import { createTrustedKeys } from './keys.js';
import { type AgentMetrics, createAgentMetrics } from './metrics.js';
import { createOutbox } from './outbox.js';
import { startAgentSession } from './session/session.js';
import { createStanding } from './session/standing.js';

/** An agent that works, or waits for its broker. `metricsPort` is undefined when none is served. */
export type RunningAgent = Running &
  Readonly<{ node: string; metricsPort: number | undefined; whenWelcomed: Promise<void> }>;

export type StartAgentOptions = Readonly<{
  config: Readonly<{ agent: AgentConfig; mesh: MeshConfig }>;
  log: Logger;
  clock: Clock;
  random?: () => number;
  /** Several agents of one process may count together. */
  metrics?: AgentMetrics;
  /** Fires when a start that waits for its enrollment has to end. */
  signal?: AbortSignal;
}>;

/** Ends one of the things that a start began; the newest first. */
type Stop = () => unknown;

const DEFAULT_METRICS_PORT = 9464;
/** After the drain the cancelled results have this long to reach the broker. */
const LAST_RESULTS_MS = 5_000;

/**
 * Starts an agent: identity, journal, actions, then the session (P-97). What was left open by a crash is ended before
 * anything new is taken.
 * @throws {MusterError} data_dir_unusable, already_running, enrollment_failed, unavailable, usage, config_invalid,
 *   port_in_use, storage_failed, unsafe_key
 */
export async function startAgent(options: StartAgentOptions): Promise<RunningAgent> {
  const { config, log, clock, random = Math.random } = options;
  const settings = config.agent;
  const stops: Stop[] = [];
  try {
    const dataDir = await claimDataDir(settings.data_dir);
    stops.unshift(dataDir.release);
    const key = loadOrCreateKey(join(dataDir.path, 'node.key'));
    const identity = createIdentityFile(dataDir.path, await identify(dataDir.path, key, options));
    const { org, node } = identity.current;
    const speaker: Speaker = { org, node, bootId: readBootId(), processId: randomUUID() };
    const standing = createStanding(clock);
    const keys = createTrustedKeys(identity.current, standing.nowMs);
    const metrics = options.metrics ?? createAgentMetrics();
    const journal = await openJournal({
      directory: dataDir.path,
      org,
      node,
      maxBytes: settings.journal_max_bytes,
      clock,
      log: log.child({ component: 'journal' }),
    });
    stops.unshift(journal.close);

    const limits = actionsConfigOf(settings);
    const actions = await startActions({
      org,
      node,
      dataDir: dataDir.path,
      limits,
      envPrefix: settings.hooks_env_prefix,
      meshInterface: config.mesh.interface,
      localAddress: () => session.localAddress,
      maxPacketBytes: settings.max_packet_bytes,
      onChange() {
        metrics.offer(actions.names());
        session.capabilitiesChanged();
      },
      log: log.child({ component: 'actions' }),
    });
    stops.unshift(actions.stop);
    metrics.offer(actions.names());

    let welcomed: () => void = () => undefined;
    const whenWelcomed = new Promise<void>((resolve) => {
      welcomed = resolve;
    });
    const session = startAgentSession({
      identity,
      signing: key.signing,
      keys,
      standing,
      speaker,
      brokerUrl: settings.broker_url ?? identity.current.broker.url,
      keepAliveSeconds: settings.keep_alive,
      maxPacketBytes: settings.max_packet_bytes,
      helloIntervalMs: parseDuration(settings.hello_interval) ?? 0,
      metricsIntervalMs: parseDuration(settings.metrics_interval) ?? 0,
      journal,
      metrics,
      capabilities: actions.capabilities,
      onWelcome: () => welcomed(),
      clock,
      log: log.child({ component: 'session' }),
      random,
    });
    stops.unshift(session.stop);
    const outbox = createOutbox({ journal, publish: session.voice.result, onCount: metrics.outbox, clock, random });
    stops.unshift(outbox.stop);
    const executor = createExecutor({
      limits,
      maxPacketBytes: settings.max_packet_bytes,
      speaker,
      find: actions.find,
      journal,
      reporter: {
        ack: session.voice.ack,
        output: (payload) => void session.voice.output(payload).catch(dropUnsent),
        result(id) {
          outbox.add(id);
          session.executionEnded();
        },
      },
      standing: standing.read,
      metrics,
      clock,
      log: log.child({ component: 'actions' }),
      random,
    });
    await executor.recover();
    const metricsPort = await serveMetrics(settings, { metrics, connected: () => session.connected, stops });
    session.serve({ executor, outbox });
    log.info({ node, metricsPort }, 'agent started');

    return {
      node,
      metricsPort,
      whenWelcomed,
      async stop(hurry) {
        await executor.shutdown(parseDuration(settings.drain_timeout) ?? 0, hurry);
        await outbox.settled(session.connected ? AbortSignal.timeout(LAST_RESULTS_MS) : AbortSignal.abort());
        await stopAll(stops);
      },
    };
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

async function identify(
  dataDir: string,
  key: KeyPair,
  { config, clock, log, signal }: StartAgentOptions,
): Promise<Identity> {
  const stored = loadIdentity(dataDir);
  if (stored !== undefined) return stored;
  const { enroll_url: url, enroll_token: token, node_id: nodeId } = config.agent;
  if (url === undefined || token === undefined) {
    throw new MusterError(
      'config_invalid',
      `This node is not enrolled (${dataDir} holds no identity): give --enroll URL and --token TOKEN`,
    );
  }
  const identity = await enroll({
    url,
    token,
    nodeId: nodeId ?? toId(hostname()),
    key,
    clock,
    log,
    signal: signal ?? new AbortController().signal,
  });
  saveIdentity(dataDir, identity);
  log.info({ org: identity.org, node: identity.node }, 'enrolled');
  return identity;
}

async function serveMetrics(
  { metrics_host: host, metrics_port }: AgentConfig,
  { metrics, connected, stops }: { metrics: { registry: MetricsRegistry }; connected: () => boolean; stops: Stop[] },
): Promise<number | undefined> {
  if (metrics_port === -1) return undefined;
  const { registry } = metrics;
  const server = await startUsualMetricsServer(
    { chosen: metrics_port, usual: DEFAULT_METRICS_PORT },
    {
      host,
      render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
      notReady: () => (connected() ? undefined : 'there is no connection to the broker'),
    },
  );
  stops.unshift(server.stop);
  return server.port;
}

async function stopAll(stops: readonly Stop[]): Promise<void> {
  for (const stop of stops) await stop();
}

function actionsConfigOf(config: AgentConfig): ActionsConfig {
  return {
    enabled: config.enabled,
    hooksDir: config.hooks_dir,
    maxConcurrent: config.max_concurrent,
    maxActionTimeoutMs: parseDuration(config.max_action_timeout) ?? ACTIONS_DEFAULTS.maxActionTimeoutMs,
    maxOutputBytes: config.max_output_bytes,
  };
}

/** The kernel's; a machine without one gets a new id with each process, which only makes it look rebooted. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}

/** Output that the link drops is asked for again with `resend`. */
function dropUnsent(error: unknown): void {
  if (!isMusterError(error)) throw error;
}
