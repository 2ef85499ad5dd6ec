import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { parseDuration } from '../protocol/durations.js';
import { createFrequentClock, type WakefulClock } from '../runtime/clock.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { startUsualMetricsServer } from '../runtime/metrics-server.js';
import { type Actions, startActions } from './actions/start-actions.js';
import { ACTIONS_DEFAULTS, type ActionsConfig } from './actions-config.js';
import type { AgentConfig, MeshConfig } from './config.js';
import { createExecutor, type Executor } from './executor/executor.js';
import { type Home, openHome } from './home.js';
import { createTrustedKeys, type TrustedKeys } from './keys.js';
import { createEnds, type Ends } from './local/ends.js';
import { servedSocket } from './local/place.js';
import { startLocal } from './local/start-local.js';
import { createUsers } from './local/users.js';
import { type AgentMetrics, createAgentMetrics } from './metrics.js';
import { createOutbox, type Outbox } from './outbox.js';
import { createRestartGuard } from './restart-guard.js';
import { type AgentSession, startAgentSession } from './session/session.js';
import { createStanding, type StandingRecord } from './session/standing.js';
import { createStops, type Stops } from './stops.js';

/** An agent that works, or waits for its broker. */
export type RunningAgent = Running &
  Readonly<{
    node: string;
    /** Undefined when none is served. */
    metricsPort: number | undefined;
    whenWelcomed: Promise<void>;
    /** How long `stop` waits for running actions. */
    drainMs: number;
    /** Says in a line how it is, once its journal answers; never while its disk hangs. */
    pulse: () => Promise<string>;
  }>;

export type StartAgentOptions = Readonly<{
  config: Readonly<{ agent: AgentConfig; mesh: MeshConfig }>;
  log: Logger;
  clock: WakefulClock;
  random?: () => number;
  /** Several agents of one process may count together. */
  metrics?: AgentMetrics;
  /** Fires when a start that waits for its enrollment has to end. */
  signal?: AbortSignal;
}>;

/** What the steps of a start share. */
type Context = Readonly<{
  config: StartAgentOptions['config'];
  settings: AgentConfig;
  limits: ActionsConfig;
  home: Home;
  standing: StandingRecord;
  keys: TrustedKeys;
  /** Milliseconds for which only reading actions are still taken. */
  heldForMs: () => number;
  /** Local executions, for those who wait for them. */
  ends: Ends;
  /** When this process started. */
  started: Readonly<{ atMs: number; monotonicMs: number }>;
  metrics: AgentMetrics;
  log: Logger;
  clock: WakefulClock;
  random: () => number;
  stops: Stops;
}>;

const DEFAULT_METRICS_PORT = 9464;
/** After the drain the cancelled results have this long to reach the broker. */
const LAST_RESULTS_MS = 4_000;

/**
 * Starts an agent: identity, journal, actions, then the session (P-97). What was left open by a crash is ended before
 * anything new is taken.
 * @throws {MusterError} data_dir_unusable, already_running, enrollment_failed, unavailable, usage, config_invalid,
 *   port_in_use, storage_failed, unsafe_key
 */
export async function startAgent(options: StartAgentOptions): Promise<RunningAgent> {
  const stops = createStops();
  try {
    const context = await prepare(options, stops);
    const actions = await offerActions(context, () => session);
    const welcomed = createGate();
    const session = connect(context, { actions, onWelcome: welcomed.open });
    const outbox = reportResults(context, session);
    const executor = takeRequests(context, { actions, session, outbox });
    void executor.recover(); // not waited for: with a full disk the agent comes up, and refuses new work meanwhile
    await serveLocally(context, { actions, session, executor });
    const metricsPort = await serveMetrics(context, session);
    session.serve({ executor, outbox });
    const { node } = context.home.speaker;
    const drainMs = parseDuration(context.settings.drain_timeout) ?? 0;
    context.log.info({ node, metricsPort }, 'agent started');
    return {
      node,
      metricsPort,
      whenWelcomed: welcomed.whenOpen,
      pulse: () => takePulse(context, session, executor),
      drainMs,
      stop: (hurry) => stopWork(context, { session, outbox, executor, drainMs, hurry }),
    };
  } catch (error) {
    await stops.all();
    throw error;
  }
}

async function prepare(
  { config, log, clock, signal, random = Math.random, metrics = createAgentMetrics() }: StartAgentOptions,
  stops: Stops,
): Promise<Context> {
  const settings = config.agent;
  const started = { atMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  const home = await openHome({ settings, log, clock, signal, stops });
  const heldForMs = settings.restart_guard ? guardRestarts({ home, metrics, log, clock, stops }) : () => 0;
  const standing = createStanding(createFrequentClock(clock));
  const keys = createTrustedKeys(home.identity.current, standing.nowMs);
  const ends = createEnds(home.journal);
  const limits = actionsConfigOf(settings);
  return {
    config,
    settings,
    limits,
    home,
    standing,
    keys,
    heldForMs,
    ends,
    started,
    metrics,
    log,
    clock,
    random,
    stops,
  };
}

/** Gives for how many milliseconds only reading actions are still taken. */
function guardRestarts({
  home,
  metrics,
  log,
  clock,
  stops,
}: Pick<Context, 'home' | 'metrics' | 'log' | 'clock' | 'stops'>): () => number {
  const { dataDir, speaker } = home;
  const guard = createRestartGuard({
    ...{ dataDir, bootId: speaker.bootId, clock, log },
    uptimeMs: () => uptime() * 1000,
    onHold: metrics.readsOnly,
  });
  stops.add(guard.stop);
  return guard.heldForMs;
}

/** `session` is asked for only when hooks change, and by actions that run: there is one by then. */
async function offerActions(
  { config, settings, limits, home, metrics, log, clock, stops }: Context,
  session: () => AgentSession,
): Promise<Actions> {
  const socket = servedSocket(settings, { dataDir: home.dataDir, env: process.env });
  const actions = await startActions({
    org: home.speaker.org,
    node: home.speaker.node,
    dataDir: home.dataDir,
    socketDirectory: socket === undefined ? undefined : dirname(socket),
    bootId: home.speaker.bootId,
    processIsolation: settings.process_isolation,
    limits,
    envPrefix: settings.hooks_env_prefix,
    hooksVerifyMs: parseDuration(settings.hooks_verify_interval) ?? 0,
    settings,
    endpoints: {
      broker: settings.broker_url ?? home.identity.current.broker.url,
      controller: home.identity.current.controller_url ?? settings.enroll_url,
    },
    clock,
    meshInterface: config.mesh.interface,
    localAddress: () => session().localAddress,
    maxPacketBytes: settings.max_packet_bytes,
    onChange() {
      metrics.offer(actions.names());
      session().capabilitiesChanged();
    },
    log: log.child({ component: 'actions' }),
  });
  stops.add(actions.stop);
  metrics.offer(actions.names());
  return actions;
}

function connect(
  { settings, home, standing, keys, metrics, log, clock, random, stops }: Context,
  { actions, onWelcome }: { actions: Actions; onWelcome: () => void },
): AgentSession {
  const { identity, key, journal, speaker } = home;
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
    onWelcome,
    clock,
    log: log.child({ component: 'session' }),
    random,
  });
  stops.add(session.stop);
  return session;
}

function reportResults({ home, metrics, clock, log, random, stops }: Context, { voice }: AgentSession): Outbox {
  const { journal } = home;
  const outbox = createOutbox({
    journal,
    publish: voice.result,
    onCount: metrics.outbox,
    clock,
    log: log.child({ component: 'actions' }),
    random,
  });
  stops.add(outbox.stop);
  return outbox;
}

function takeRequests(
  { settings, limits, home, standing, heldForMs, ends, metrics, log, clock, random }: Context,
  { actions, session, outbox }: { actions: Actions; session: AgentSession; outbox: Outbox },
): Executor {
  const { voice, executionEnded } = session;
  return createExecutor({
    limits,
    maxPacketBytes: settings.max_packet_bytes,
    speaker: home.speaker,
    find: actions.find,
    journal: home.journal,
    reporter: {
      ack: voice.ack,
      output: voice.output,
      result(id) {
        outbox.add(id);
        executionEnded();
        ends.ended(id);
      },
    },
    standing: standing.read,
    readsOnly: () => heldForMs() > 0,
    metrics,
    clock,
    log: log.child({ component: 'actions' }),
    random,
  });
}

/** For people on the node itself; needs neither broker nor welcome. */
async function serveLocally(
  { settings, limits, home, keys, heldForMs, ends, started, metrics, log, clock, stops }: Context,
  { actions, session, executor }: { actions: Actions; session: AgentSession; executor: Executor },
): Promise<void> {
  const path = servedSocket(settings, { dataDir: home.dataDir, env: process.env });
  if (path === undefined) return;
  const { journal, speaker } = home;
  const local = await startLocal({
    ...{ path, executor, session, journal, speaker, keys, heldForMs, ends, started, limits, metrics, clock },
    isShared: settings.local_users.length > 0,
    users: createUsers({ listed: settings.local_users, ownUid: process.getuid?.() ?? 0 }),
    find: actions.find,
    capabilities: actions.capabilities,
    journalMaxBytes: settings.journal_max_bytes,
    maxPacketBytes: settings.max_packet_bytes,
    log: log.child({ component: 'local' }),
  });
  stops.add(local.stop);
}

async function serveMetrics({ settings, metrics, stops }: Context, session: AgentSession): Promise<number | undefined> {
  const { metrics_host: host, metrics_port: chosen } = settings;
  if (chosen === -1) return undefined;
  const { registry } = metrics;
  const server = await startUsualMetricsServer(
    { chosen, usual: DEFAULT_METRICS_PORT },
    {
      host,
      render: async () => ({ body: await registry.metrics(), contentType: registry.contentType }),
      notReady: () => (session.connected ? undefined : 'there is no connection to the broker'),
    },
  );
  stops.add(server.stop);
  return server.port;
}

async function takePulse({ home }: Context, session: AgentSession, executor: Executor): Promise<string> {
  await home.journal.answers();
  const link = session.connected ? 'Connected to the broker' : 'No connection to the broker';
  return `${link}; ${executor.activeCount()} running, ${home.journal.unreceipted().length} to report`;
}

async function stopWork(
  { stops }: Context,
  {
    session,
    outbox,
    executor,
    drainMs,
    hurry,
  }: { session: AgentSession; outbox: Outbox; executor: Executor; drainMs: number; hurry: AbortSignal },
): Promise<void> {
  await executor.shutdown(drainMs, hurry);
  await outbox.settled(session.connected ? AbortSignal.timeout(LAST_RESULTS_MS) : AbortSignal.abort());
  await stops.all();
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

/** Resolves once somebody has opened it. */
function createGate(): { open: () => void; whenOpen: Promise<void> } {
  let open: () => void = () => undefined;
  const whenOpen = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), whenOpen };
}
