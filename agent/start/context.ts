import { uptime } from 'node:os';
import { parseDuration } from '../../protocol/durations.js';
import { createFrequentClock, type WakefulClock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { createSecrets, type Mask, type Secrets } from '../../runtime/masking/mask.js';
import { followSecretsFile } from '../../runtime/masking/secrets-file.js';
import { ACTIONS_DEFAULTS, type ActionsConfig } from '../actions-config.js';
import type { AgentConfig, MeshConfig } from '../config.js';
import { type Home, openHome } from '../home.js';
import { createTrustedKeys, type TrustedKeys } from '../keys.js';
import { createEnds, type Ends } from '../local/ends.js';
import { type AgentMetrics, createAgentMetrics } from '../metrics.js';
import { createRestartGuard } from '../restart-guard.js';
import { createStanding, type StandingRecord } from '../session/standing.js';
import type { Stops } from '../stops.js';

export type StartAgentOptions = Readonly<{
  config: Readonly<{ agent: AgentConfig; mesh: MeshConfig }>;
  /** What is masked; the log has to go through the same. */
  secrets?: Secrets;
  log: Logger;
  clock: WakefulClock;
  random?: () => number;
  /** Several agents of one process may count together. */
  metrics?: AgentMetrics;
  /** Fires when a start that waits for its enrollment has to end. */
  signal?: AbortSignal;
}>;

/** What the steps of a start share. */
export type Context = Readonly<{
  config: StartAgentOptions['config'];
  settings: AgentConfig;
  limits: ActionsConfig;
  home: Home;
  /** Takes the values that the owner has named out of what leaves the node. */
  mask: Mask;
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

/**
 * Opens what the later steps work with: the data directory with identity and journal, and the restart guard.
 * @throws {MusterError} data_dir_unusable, already_running, enrollment_failed, unavailable, usage, config_invalid,
 *   storage_failed, unsafe_key
 */
export async function prepare(
  {
    config,
    secrets = createSecrets(),
    log,
    clock,
    signal,
    random = Math.random,
    metrics = createAgentMetrics(),
  }: StartAgentOptions,
  stops: Stops,
): Promise<Context> {
  const settings = config.agent;
  const started = { atMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  if (settings.secrets_file !== undefined) stops.add(followSecretsFile(settings.secrets_file, secrets, log));
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
    mask: secrets.mask,
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
  stops.add(() => guard.stop({ isAskedFor: home.journal.hasHandover() }));
  return guard.heldForMs;
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
