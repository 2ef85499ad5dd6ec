import { readFileSync } from 'node:fs';
import { MusterError } from '../protocol/errors.js';
import type { Clock } from '../runtime/clock.js';
import { claimDataDir } from '../runtime/data-dir.js';
import type { Running } from '../runtime/lifecycle.js';
import type { Logger } from '../runtime/logger.js';
import { createSecrets, type Secrets } from '../runtime/masking/mask.js';
import { followSecretsFile } from '../runtime/masking/secrets-file.js';
import { type Closers, createClosers } from './closers.js';
import type { ControllerConfig } from './config.js';
import { NO_DASHBOARD, readDashboard } from './http/dashboard.js';
import { startFront } from './http/front.js';
import { ensureOwnerToken } from './identity/api-tokens.js';
import { sealDeps, startKeyring } from './identity/keyring.js';
import { startSharedKeyring } from './identity/shared-keys.js';
import { createLiveAdapters, type LiveAdapters } from './integrations/adapters/list.js';
import { followDeclaredAdapters } from './integrations/declared/follow-file.js';
import { type DeclaredFile, readDeclaredFile } from './integrations/declared/read-file.js';
import type { Office } from './leading/office.js';
import { startShared } from './leading/shared.js';
import { beginTerm } from './leading/term.js';
import { readPolicyFile } from './policy/parse-policy.js';
import { followPolicyFile } from './policy/policy-file.js';
import { installPolicy } from './policy/service.js';
import type { Reloader } from './reloader.js';
import { type Oidc, readOidc } from './sign-in/settings.js';
import { createSeal } from './store/audit-seal.js';
import { awaitPostgres } from './store/await-postgres.js';
import { ensureInstance } from './store/meta.js';
import { openStore, type Store } from './store/store.js';
import { readWebhooksFile, type Webhook } from './webhooks/webhooks-file.js';

/** A controller that answers. */
export type RunningController = Running &
  Readonly<{
    url: string;
    port: number;
    /** The owner's API token, the one time that it is made. */
    ownerToken: string | undefined;
    /** Reads the files of policy and adapters now, as they are read when they change; undefined when there is none. */
    reload: (() => void) | undefined;
  }>;

type StartOptions = Readonly<{
  config: ControllerConfig;
  /** What is masked; the log has to go through the same. */
  secrets?: Secrets;
  /** Where the build has put the dashboard; there is none when absent. */
  dashboardDir?: string;
  log: Logger;
  clock: Clock;
  /** Ends the wait for the database. */
  stop?: AbortSignal;
}>;

/**
 * Starts the controller; what was opened is closed again when a later step fails. It need not find the broker: until it
 * does, `/readyz` says so, and what is asked waits in the store.
 * @throws {MusterError} data_dir_unusable, already_running, unsafe_key, key_list_expired, storage_failed, store_too_new, port_in_use,
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

async function start(
  { config, secrets = createSecrets(), dashboardDir, log, clock, stop }: StartOptions,
  closers: Closers,
): Promise<Omit<RunningController, 'stop'>> {
  const { org, store_url: storeUrl } = config;
  const brokerCa = readCa(config.broker_ca_file);
  // Before anything is made: a first start that fails later would not show the owner's token again.
  const policy = config.policy_file === undefined ? undefined : readPolicyFile(config.policy_file);
  const declared = config.integrations_file === undefined ? undefined : readDeclaredFile(config.integrations_file);
  const live = createLiveAdapters(declared?.adapters ?? []);
  const webhooks = config.webhooks_file === undefined ? [] : readWebhooksFile(config.webhooks_file);
  const oidc = readOidc(config);
  secrets.register('settings', secretsIn(config, { webhooks, oidc }));
  if (config.secrets_file !== undefined) closers.add(followSecretsFile(config.secrets_file, secrets, log));
  const dashboard = dashboardDir === undefined ? NO_DASHBOARD : await readDashboard(dashboardDir, log);
  const dataDir = await claimDataDir(config.data_dir);
  closers.add(dataDir.release);
  if (storeUrl !== undefined) await awaitPostgres(storeUrl, { clock, log, stop });
  const keyring =
    storeUrl === undefined
      ? startKeyring({ directory: dataDir.path, org, clock, log })
      : await startSharedKeyring(storeUrl, { directory: dataDir.path, org, clock, log });
  closers.add(keyring.stop);
  let office: Office | undefined;
  const store = await openStore(storeUrl ?? dataDir.path, {
    clock,
    seal: createSeal(sealDeps(keyring, { clock, org, log })),
    mask: secrets.mask,
    onDoubt: () => office?.resign('a commit was not answered'),
  });
  closers.add(store.close);
  const ownerToken = await ensureOwnerToken(store, org, clock.nowMs());
  if (policy !== undefined) await installPolicy(store, { org, policy, nowMs: clock.nowMs() });
  const followed = followFiles({ config, store, clock, log, declared, adapters: live });
  for (const { stop: stopFollowing } of followed) closers.add(stopFollowing);
  const clientId = `ctl-${await ensureInstance(store, config.instance)}`;

  const front = await startFront(config, log.child({ component: 'http' }));
  closers.add(front.stop);
  const { adapters } = live;
  const deps = { keyring, config, secrets, clientId, brokerCa, adapters, webhooks, oidc, front, dashboard, clock, log };
  if (storeUrl === undefined) {
    const end = await beginTerm({ ...deps, store, ready: 'ok', holds: () => true });
    closers.add(end);
  } else {
    office = await startShared({ ...deps, store, storeUrl });
    closers.add(office.stop);
  }
  closers.add(() => front.show(undefined));
  return { url: front.url, port: front.port, ownerToken, reload: reloadOf(followed) };
}

/** The files that are read again when they change. */
function followFiles({
  config,
  declared: inForce,
  adapters,
  ...deps
}: StartOptions & { store: Store; declared: DeclaredFile | undefined; adapters: LiveAdapters }): readonly Reloader[] {
  const { org, policy_file: policy, integrations_file: integrations } = config;
  return [
    policy === undefined ? [] : followPolicyFile({ ...deps, file: policy, org }),
    integrations === undefined || inForce === undefined
      ? []
      : followDeclaredAdapters({ ...deps, file: integrations, org, adapters, inForce }),
  ].flat();
}

function reloadOf(followed: readonly Reloader[]): (() => void) | undefined {
  if (followed.length === 0) return undefined;
  return () => {
    for (const { reload } of followed) reload();
  };
}

/** What the settings hold, or name files of, that is secret. */
function secretsIn(
  { store_url: storeUrl, broker_password: brokerPassword }: ControllerConfig,
  { webhooks, oidc }: { webhooks: readonly Webhook[]; oidc: Oidc | undefined },
): string[] {
  const password = storeUrl !== undefined && URL.canParse(storeUrl) ? new URL(storeUrl).password : '';
  return [
    ...webhooks.map(({ secret }) => secret),
    ...[oidc?.clientSecret, brokerPassword, password, decoded(password)].flatMap((secret) => secret ?? []),
  ];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it holds a percent sign of its own
  }
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
