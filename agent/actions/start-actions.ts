import { join } from 'node:path';
import { formatDuration } from '../../protocol/durations.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Mask } from '../../runtime/masking/mask.js';
import { maskOffers } from '../../runtime/masking/offers.js';
import type { ActionsConfig, IsolationLimit } from '../actions-config.js';
import type { BuiltinSettings } from '../builtins-config.js';
import type { OwnProcess } from '../machine.js';
import type { Action } from './action.js';
import { type BuiltinHost, builtins } from './builtins/list.js';
import { createNodeInfo } from './builtins/node-info.js';
import { buildCapabilities, describeBinary } from './capabilities.js';
import { usualSockets } from './containers/socket.js';
import { startContainers } from './containers/start-containers.js';
import { clearPrivateCopies } from './hooks/private-copy.js';
import { createHookAction } from './hooks/run-hook.js';
import { startHookWatch } from './hooks/watch.js';
import { detectIsolation, forSystemPrograms } from './isolation.js';
import { createLeftovers } from './leftovers.js';
import { createRegistry } from './registry.js';
import { readSystem } from './system/platform.js';

/** A JWS in a packet leaves this share of it to the payload. */
const PAYLOAD_SHARE = 0.7;

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the node can do, kept up to date with its hooks directory. */
export type Actions = Readonly<{
  find: (name: string) => Action | undefined;
  names: () => readonly string[];
  /** The payload octets of `muster-capabilities`; the same octets until something changes. */
  capabilities: () => Buffer;
  stop: () => Promise<void>;
}>;

export type ActionsOptions = Readonly<{
  org: string;
  node: string;
  dataDir: string;
  /** Where the local socket lies; undefined when none is served. */
  socketDirectory: string | undefined;
  /** The kernel's. */
  bootId: string;
  processIsolation: IsolationLimit | 'auto';
  limits: ActionsConfig;
  /** What the node says of its hooks and containers holds no value that its owner has named. */
  mask: Mask;
  envPrefix: string;
  /** How often the hooks are read again without an event. */
  hooksVerifyMs: number;
  /** What the built-ins may look at and touch. */
  settings: BuiltinSettings;
  /** URLs of the node's own broker and controller. */
  endpoints: BuiltinHost['endpoints'];
  clock: Clock;
  own: Omit<OwnProcess, 'files'>;
  random: () => number;
  meshInterface: string | undefined;
  localAddress: () => string | undefined;
  maxPacketBytes: number;
  /** The hooks or the containers are others than before. */
  onChange: () => void;
  log: Logger;
}>;

/**
 * Registers the built-ins, finds hooks and containers and watches them.
 * What an earlier process left running is ended before.
 * @throws {MusterError} config_invalid when the hooks directory is there and cannot be read, or there is no isolation
 *   of the kind that is wanted
 */
export async function startActions(options: ActionsOptions): Promise<Actions> {
  const { org, node, dataDir, socketDirectory, limits, envPrefix, maxPacketBytes, onChange, log } = options;
  const leftovers = createLeftovers({ directory: join(dataDir, 'running'), bootId: options.bootId, log });
  await leftovers.end();
  await clearPrivateCopies(dataDir);
  const detected = await detectIsolation(log, options.processIsolation);
  const isolation = leftovers.remember(detected);
  const system = leftovers.remember(forSystemPrograms(detected));
  const program = process.argv[1] ?? process.execPath;
  const path = process.env.PATH ?? DEFAULT_PATH;
  const info = createNodeInfo({
    nodeId: node,
    meshInterface: options.meshInterface,
    brokerLocalAddress: options.localAddress,
    path,
    isolation: system,
    log,
  });
  const registry = createRegistry({
    builtins: builtins({
      node: info,
      settings: options.settings,
      endpoints: options.endpoints,
      dataDir,
      maxOutputBytes: limits.maxOutputBytes,
      mask: options.mask,
      path,
      isolation: system,
      clock: options.clock,
      system: readSystem(),
      env: process.env,
      own: { ...options.own, files: [process.execPath, program] },
      log,
    }),
    toAction: (hook) =>
      createHookAction(hook, {
        nodeId: node,
        envPrefix,
        agentEnv: process.env,
        dataDir,
        socketDirectory,
        isolation,
        log,
      }),
  });
  const binary = await describeBinary(program);
  let hidden = 0;
  const describe = (): Buffer => {
    const { value, leftOut } = maskOffers(
      options.mask,
      buildCapabilities({
        node,
        org,
        registry,
        binary,
        containers: containers.announced(),
        hasUnlisted: containers.isUnlisted(),
        limits: {
          max_concurrent: limits.maxConcurrent,
          max_action_timeout: formatDuration(limits.maxActionTimeoutMs),
          max_output_bytes: limits.maxOutputBytes,
          process_isolation: isolation.limit,
        },
        maxBytes: Math.floor(maxPacketBytes * PAYLOAD_SHARE),
      }),
    );
    if (leftOut > 0 && leftOut !== hidden) log.warn({ leftOut }, 'actions not announced, registered values name them');
    hidden = leftOut;
    return Buffer.from(JSON.stringify(value));
  };
  let isStarted = false;
  let described: Buffer = Buffer.alloc(0);
  const changed = (): void => {
    if (!isStarted) return;
    described = describe();
    onChange();
  };
  const containers = await startContainers({
    setting: options.settings.containers_socket,
    usual: usualSockets({ uid: process.getuid?.() ?? 0, runtimeDir: process.env.XDG_RUNTIME_DIR }),
    maxOutputBytes: limits.maxOutputBytes,
    mask: options.mask,
    offer: (actions) => actions.forEach(registry.register),
    onChange: changed,
    ...{ clock: options.clock, random: options.random, log },
  });
  const watch = await startHookWatch({
    directory: limits.hooksDir,
    verifyMs: options.hooksVerifyMs,
    log,
    onChange(hooks) {
      registry.setHooks(hooks);
      log.info({ hooks: hooks.length }, 'hooks changed');
      changed();
    },
  }).catch(async (error: unknown) => {
    await containers.stop();
    throw error;
  });
  described = describe();
  isStarted = true;
  return {
    find: registry.find,
    names() {
      const { builtins: own, hooks } = registry.describe();
      return [...own, ...hooks].map(({ name }) => name);
    },
    capabilities: () => described,
    async stop() {
      await Promise.all([watch.stop(), containers.stop()]);
    },
  };
}
