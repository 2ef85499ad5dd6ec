import { BrokerConfig } from '../../broker/config.js';
import { startBroker } from '../../broker/start.js';
import { ControllerConfig } from '../../controller/config.js';
import { type Core, createCore } from '../../controller/core.js';
import { issueBrokerPassword } from '../../controller/identity/broker-credentials.js';
import { type Keyring, sealDeps, startKeyring } from '../../controller/identity/keyring.js';
import { INGESTED } from '../../controller/ingest/ingest.js';
import type { Adapters } from '../../controller/integrations/adapter.js';
import { createAdapters } from '../../controller/integrations/adapters/list.js';
import type { Principal } from '../../controller/services.js';
import { readOidc } from '../../controller/sign-in/settings.js';
import { createSeal } from '../../controller/store/audit-seal.js';
import { openStore, type Store } from '../../controller/store/store.js';
import { startTimers } from '../../controller/timers.js';
import { topicFilter } from '../../protocol/topics.js';
import { type Clock, SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger, type Logger } from '../../runtime/logger.js';
import { createSecrets, type Secrets } from '../../runtime/masking/mask.js';
import type { TestScope } from './broker.js';
import { storeSetting } from './store-place.js';
import { temporaryDirectory } from './temporary-directory.js';
import { until } from './until.js';

export const OWNER: Principal = { id: 'owner', org: 'default', role: 'owner' };

/** The controller without its REST API, on a real store and our broker. */
export type TestCore = Readonly<{
  directory: string;
  brokerUrl: string;
  keyring: Keyring;
  readonly core: Core;
  readonly store: Store;
  /** Ends the controller, keeps store and broker. */
  stop: () => Promise<void>;
  /** A new controller on the same store. */
  start: () => Promise<void>;
}>;

/** Starts a broker and a controller that trust the same keys; both end with the test. */
export async function startTestCore(
  t: TestScope,
  {
    clock = SYSTEM_CLOCK,
    config: settings = {},
    directory = temporaryDirectory(t),
    adapters = createAdapters(),
    log = createLogger('controller', { level: 'silent' }),
    secrets = createSecrets(),
  }: {
    clock?: Clock;
    log?: Logger;
    secrets?: Secrets;
    config?: Readonly<Record<string, unknown>>;
    directory?: string;
    adapters?: Adapters;
  } = {},
): Promise<TestCore> {
  const keyring = startKeyring({ directory, org: 'default', clock, log });
  t.after(keyring.stop);
  const { rootFile, listFile } = keyring.keys;
  const broker = await startBroker({
    config: BrokerConfig.parse({
      port: 0,
      metrics_port: 0,
      root_file: rootFile,
      keys_file: listFile,
    }),
    log,
    clock,
  });
  t.after(() => broker.stop(AbortSignal.abort()));
  const brokerUrl = `mqtt://127.0.0.1:${broker.port}`;
  const config = ControllerConfig.parse({
    data_dir: directory,
    broker_url: brokerUrl,
    ...(await storeSetting(t)),
    ...settings,
  });

  let running: { core: Core; store: Store; stopTimers: () => void } | undefined;
  const start = async (): Promise<void> => {
    const seal = createSeal(sealDeps(keyring, { clock, org: 'default', log }));
    const store = await openStore(config.store_url ?? directory, { clock, seal, mask: secrets.mask });
    const core = await createCore({
      store,
      keyring,
      config,
      secrets,
      brokerCa: undefined,
      adapters,
      oidc: readOidc(config),
      clock,
      log,
    });
    running = { core, store, stopTimers: startTimers(core, log) };
    linkUp(core, { brokerUrl, keyring, clock, log });
    await until(() => core.link.connected, { what: 'the connection to the broker' });
  };
  const stop = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    ending?.stopTimers();
    await ending?.core.link.stop();
    await ending?.store.close();
  };
  await start();
  t.after(stop);
  return {
    ...{ directory, brokerUrl, keyring, stop, start },
    get core() {
      if (running === undefined) throw new Error('the controller is stopped');
      return running.core;
    },
    get store() {
      if (running === undefined) throw new Error('the controller is stopped');
      return running.store;
    },
  };
}

function linkUp(
  { link, ingest, presence, connected }: Core,
  { brokerUrl, keyring, clock, log }: { brokerUrl: string; keyring: Keyring; clock: Clock; log: Logger },
): void {
  const scope = { prefix: 'muster/v1', org: 'default' };
  link.start({
    url: brokerUrl,
    clientId: 'ctl-test',
    scope,
    keepAliveSeconds: 30,
    credentials: () => ({
      username: 'ctl-test',
      password: issueBrokerPassword(
        keyring,
        { role: 'controller', id: 'ctl-test', org: 'default', groups: [] },
        clock.nowMs(),
      ).password,
    }),
    filters: () => INGESTED.map((kind) => topicFilter(scope, kind)),
    onConnect: connected,
    onDisconnect: presence.forgetAll,
    onMessage: ingest.take,
    log,
  });
}
