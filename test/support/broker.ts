import { BrokerConfig } from '../../broker/config.js';
import type { KeySource } from '../../broker/key-list-file.js';
import { type RunningBroker, startBroker } from '../../broker/start.js';
import type { Principal } from '../../protocol/authorization.js';
import { signBrokerToken } from '../../protocol/broker-token.js';
import type { KnownKey } from '../../protocol/envelope.js';
import { signKeyList } from '../../protocol/key-list.js';
import { type Clock, SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import { generateKeyPair, type KeyPair } from '../../runtime/key-file.js';
import { createLogger, type Logger } from '../../runtime/logger.js';

/** The part of node:test's context that closes what a test opened. */
export type TestScope = Readonly<{ after: (close: () => unknown) => void }>;

/** What a client gives to connect. */
export type Credential = Readonly<{ clientId: string; username: string; password: string }>;

/** Our broker on free ports of 127.0.0.1, with keys of its own. */
export type TestBroker = Readonly<{
  url: string;
  port: number;
  metricsPort: number;
  tlsPort: number | undefined;
  wsPort: number | undefined;
  prefix: string;
  org: string;
  root: KeyPair;
  /** Signs broker passwords, requests and controls; the one key of `keyListJws`. */
  controller: KeyPair;
  keyListJws: string;
  keyOf: (kid: string) => KnownKey | undefined;
  /** Ids of controllers begin with `ctl-`, of monitors with `mon-`, and of nodes with neither. */
  credential: (role: Principal['role'], id: string, groups?: readonly string[]) => Credential;
  passwordFor: (principal: Principal, lifetimeSeconds?: number) => string;
  stop: () => Promise<void>;
  /** Stops it if need be and starts it again on the same ports, with nothing retained. */
  restart: () => Promise<void>;
}>;

/** Starts the broker that we ship and stops it after the test. `config` changes settings; the ports stay free ones. */
export async function startTestBroker(
  t: TestScope,
  {
    config: settings = {},
    clock = SYSTEM_CLOCK,
    log = createLogger('broker', { level: 'silent' }),
    keys,
    keysFrom,
  }: {
    config?: Readonly<Record<string, unknown>>;
    clock?: Clock;
    log?: Logger;
    keys?: KeySource;
    /** Makes the source of keys from the controller's, when a test needs another than the one key. */
    keysFrom?: (controller: KeyPair) => KeySource;
  } = {},
): Promise<TestBroker> {
  const root = generateKeyPair();
  const controller = generateKeyPair();
  const keyOf = (kid: string): KnownKey | undefined =>
    kid === controller.public.kid ? { key: controller.public.key, role: 'controller' } : undefined;
  const source = keys ?? keysFrom?.(controller) ?? { keyOf, notReady: () => undefined, stop: () => undefined };
  let config = BrokerConfig.parse({ port: 0, metrics_port: 0, ...settings });
  let running: RunningBroker | undefined = await startBroker({ config, log, clock, keys: source });
  const { port, metricsPort, tlsPort, wsPort } = running;
  config = {
    ...config,
    ...{ port, metrics_port: metricsPort },
    ...(tlsPort === undefined ? {} : { tls_port: tlsPort }),
    ...(wsPort === undefined ? {} : { ws_port: wsPort }),
  };
  const { prefix, org } = config;

  const stop = async (): Promise<void> => {
    const current = running;
    running = undefined;
    await current?.stop(AbortSignal.abort());
  };
  t.after(stop);

  const passwordFor = ({ id, role, groups, org: theirs }: Principal, lifetimeSeconds = 3600): string => {
    const iat = Math.floor(clock.nowMs() / 1000);
    const claims = { org: theirs, sub: id, role, groups: [...groups], iat, exp: iat + lifetimeSeconds };
    return signBrokerToken(claims, controller.signing);
  };
  return {
    url: `mqtt://127.0.0.1:${port}`,
    ...{ port, metricsPort, tlsPort, wsPort, prefix, org, root, controller, keyOf, passwordFor, stop },
    keyListJws: signKeyList(
      {
        v: 1,
        org,
        version: 1,
        keys: [controller.public.jwk],
        not_after: toTime(clock.nowMs() + 30 * 24 * 3600 * 1000),
      },
      root.signing,
    ),
    credential: (role, id, groups = []) => ({
      clientId: id,
      username: id,
      password: passwordFor({ role, id, org, groups }),
    }),
    restart: async () => {
      await stop();
      running = await startBroker({ config, log, clock, keys: source });
    },
  };
}
