import { join } from 'node:path';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { type RunningAgent, startAgent } from '../../agent/start.js';
import { BrokerConfig } from '../../broker/config.js';
import { type RunningBroker, startBroker } from '../../broker/start.js';
import { type Client, createClient } from '../../cli/client.js';
import { dashboardDirectory } from '../../cli/dashboard-directory.js';
import { ControllerConfig } from '../../controller/config.js';
import { EnrollmentTokenCreated } from '../../controller/http/schemas.js';
import { ensureKeys } from '../../controller/identity/keys.js';
import { startController } from '../../controller/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { createLogger, type Logger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import { HARMLESS } from './harmless.js';
import type { Targets } from './prometheus.js';
import { storeSetting } from './store-place.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Broker, controller and agents in this process, on free ports of 127.0.0.1: all of it what we ship. */
export type TestInstallation = Readonly<{
  url: string;
  ownerToken: string;
  /** The REST API with the owner's token. */
  client: Client;
  agents: readonly RunningAgent[];
  /** It comes back on the same port, with nothing retained. */
  broker: Readonly<{ stop: () => Promise<void>; start: () => Promise<void> }>;
  /** Where each part serves metrics; the agent is the first one. */
  metricsPorts: Targets;
}>;

type AgentSettings = Readonly<Record<string, unknown>>;

/** Starts it all and waits until each agent (node-1, node-2, …) has been welcomed; stopped after the test. */
export async function startInstallation(
  t: TestScope,
  {
    agents: count = 1,
    agent: settings = {},
    dashboard = false,
  }: {
    agents?: number;
    agent?: AgentSettings | ((brokerPort: number) => Promise<AgentSettings>);
    /** Serves the page as the build has made it. */
    dashboard?: boolean;
  } = {},
): Promise<TestInstallation> {
  const directory = temporaryDirectory(t);
  const dataDir = makeDataDir(join(directory, 'controller'));
  const keys = ensureKeys(dataDir, 'default', SYSTEM_CLOCK);
  const broker = await startStoppableBroker({ root_file: keys.rootFile, keys_file: keys.listFile });
  t.after(broker.stop);
  const controller = await startController({
    config: ControllerConfig.parse({
      port: 0,
      data_dir: dataDir,
      ...(await storeSetting(t)),
      broker_url: `mqtt://127.0.0.1:${broker.port}`,
    }),
    ...(dashboard ? { dashboardDir: dashboardDirectory() } : {}),
    ...{ log: silent('controller'), clock: SYSTEM_CLOCK },
  });
  t.after(() => controller.stop(AbortSignal.abort()));
  const ownerToken = controller.ownerToken ?? '';
  const client = createClient({ url: controller.url, token: ownerToken });
  const { token } = await client.call(EnrollmentTokenCreated, {
    method: 'POST',
    path: '/enrollment-tokens',
    body: { uses: Math.max(1, count) },
  });

  const agentSettings = typeof settings === 'function' ? await settings(broker.port) : settings;
  const agents: RunningAgent[] = [];
  for (let number = 1; number <= count; number += 1) {
    const agent = AgentConfig.parse({
      enroll_url: controller.url,
      enroll_token: token,
      node_id: `node-${number}`,
      data_dir: join(directory, `node-${number}`),
      metrics_port: 0,
      ...HARMLESS,
      ...agentSettings,
    });
    const started = await startAgent({
      config: { agent, mesh: MeshConfig.parse({}) },
      ...{ log: silent('agent'), clock: SYSTEM_CLOCK },
    });
    let stopped: Promise<void> | undefined;
    const stop = (hurry: AbortSignal): Promise<void> => (stopped ??= started.stop(hurry));
    t.after(() => stop(AbortSignal.abort()));
    agents.push({ ...started, stop });
  }
  await Promise.all(agents.map(({ whenWelcomed }) => whenWelcomed));
  return {
    url: controller.url,
    ...{ ownerToken, client, agents, broker },
    metricsPorts: {
      broker: broker.metricsPort,
      controller: controller.port,
      agent: agents[0]?.metricsPort ?? 0,
    },
  };
}

async function startStoppableBroker(files: Readonly<{ root_file: string; keys_file: string }>) {
  let config = BrokerConfig.parse({ port: 0, metrics_port: 0, ...files });
  const begin = (): Promise<RunningBroker> => startBroker({ config, log: silent('broker'), clock: SYSTEM_CLOCK });
  let running: RunningBroker | undefined = await begin();
  const { port, metricsPort } = running;
  config = { ...config, port, metrics_port: metricsPort };
  return {
    ...{ port, metricsPort },
    async stop() {
      const current = running;
      running = undefined;
      await current?.stop(AbortSignal.abort());
    },
    async start() {
      running ??= await begin();
    },
  };
}

function silent(part: string): Logger {
  return createLogger(part, { level: 'silent' });
}
