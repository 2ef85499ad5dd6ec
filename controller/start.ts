import { readFileSync } from 'node:fs';
import { MusterError } from '../protocol/errors.js';
import { topicFilter } from '../protocol/topics.js';
import type { Clock } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import type { MqttSessionOptions } from '../runtime/mqtt-session.js';
import { type Closers, createClosers } from './closers.js';
import type { ControllerConfig } from './config.js';
import { type Core, createCore } from './core.js';
import { limitsFor } from './http/event-streams.js';
import { startHttp } from './http/start-http.js';
import { ensureOwnerToken } from './identity/api-tokens.js';
import { issueBrokerPassword } from './identity/broker-credentials.js';
import { type Keyring, sealDeps, startKeyring } from './identity/keyring.js';
import { INGESTED } from './ingest/ingest.js';
import { readPolicyFile } from './policy/parse-policy.js';
import { installPolicy } from './policy/service.js';
import { createSeal } from './store/audit-seal.js';
import { ensureInstance } from './store/meta.js';
import { openStore } from './store/store.js';
import { startTimers } from './timers.js';

/** A controller that answers. */
export type RunningController = Running &
  Readonly<{
    url: string;
    port: number;
    /** The owner's API token, the one time that it is made. */
    ownerToken: string | undefined;
  }>;

type StartOptions = Readonly<{ config: ControllerConfig; log: Logger; clock: Clock }>;

/**
 * Starts the controller; what was opened is closed again when a later step fails. It need not find the broker: until it
 * does, `/readyz` says so, and what is asked waits in the store.
 * @throws {MusterError} data_dir_unusable, already_running, unsafe_key, key_list_expired, storage_failed, port_in_use,
 *   config_invalid
 */
export async function startController(options: StartOptions): Promise<RunningController> {
  const closers = createClosers();
  try {
    return { ...(await start(options, closers)), stop: closers.closeAll };
  } catch (error) {
    await closers.closeAll();
    throw error;
  }
}

async function start({ config, log, clock }: StartOptions, closers: Closers): Promise<Omit<RunningController, 'stop'>> {
  const { org } = config;
  const brokerCa = readCa(config.broker_ca_file);
  const dataDir = await claimDataDir(config.data_dir);
  closers.add(dataDir.release);
  const keyring = startKeyring({ directory: dataDir.path, org, clock, log });
  closers.add(keyring.stop);
  const seal = createSeal(sealDeps(keyring, { clock, org }));
  const store = await openStore(config.store_url ?? dataDir.path, { clock, seal });
  closers.add(store.close);
  const ownerToken = await ensureOwnerToken(store, org, clock.nowMs());
  if (config.policy_file !== undefined) {
    await installPolicy(store, { org, policy: readPolicyFile(config.policy_file), nowMs: clock.nowMs() });
  }
  const instance = await ensureInstance(store, config.instance);

  const core = await createCore({ store, keyring, config, brokerCa, clock, log });
  closers.add(core.link.stop);
  core.link.start(sessionOptions(core, { config, keyring, instance, brokerCa, clock, log }));
  closers.add(core.drain);
  closers.add(startTimers(core, log));
  const http = await startHttp({
    ...{ services: core.services, config, log, clock },
    streamLimits: limitsFor(config.max_event_streams),
  });
  closers.add(http.stop);
  return { url: http.url, port: http.port, ownerToken };
}

/** @throws {MusterError} config_invalid */
function readCa(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MusterError('config_invalid', `controller.broker_ca_file: ${file} cannot be read`, { cause });
  }
}

function sessionOptions(
  { ingest, presence, connected }: Core,
  deps: Readonly<{
    config: ControllerConfig;
    keyring: Keyring;
    instance: string;
    brokerCa: string | undefined;
    clock: Clock;
    log: Logger;
  }>,
): MqttSessionOptions {
  const { config, keyring, instance, brokerCa, clock, log } = deps;
  const { prefix, org } = config;
  const clientId = `ctl-${instance}`;
  const scope = { prefix, org };
  return {
    url: config.broker_url,
    clientId,
    scope,
    ca: brokerCa,
    keepAliveSeconds: config.keep_alive,
    credentials: () => ({
      username: config.broker_username ?? clientId,
      password:
        config.broker_password ??
        issueBrokerPassword(keyring, { role: 'controller', id: clientId, org, groups: [] }, clock.nowMs()).password,
    }),
    filters: () => INGESTED.map((kind) => topicFilter(scope, kind)),
    onConnect: connected,
    onDisconnect: presence.forgetAll,
    onMessage: ingest.take,
    log: log.child({ component: 'broker_link' }),
  };
}
