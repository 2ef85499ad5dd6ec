import { join } from 'node:path';
import { AgentConfig, MeshConfig } from '../../agent/config.js';
import { type RunningAgent, startAgent } from '../../agent/start.js';
import { BrokerConfig } from '../../broker/config.js';
import { startBroker } from '../../broker/start.js';
import { type Client, createClient } from '../../cli/client.js';
import { ControllerConfig } from '../../controller/config.js';
import { EnrollmentTokenCreated } from '../../controller/http/schemas.js';
import { ensureKeys } from '../../controller/identity/keys.js';
import { startController } from '../../controller/start.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { makeDataDir } from '../../runtime/data-dir.js';
import { createLogger, type Logger } from '../../runtime/logger.js';
import type { TestScope } from './broker.js';
import type { Targets } from './prometheus.js';
import { temporaryDirectory } from './temporary-directory.js';

/** Broker, controller and agents in this process, on free ports of 127.0.0.1: all of it what we ship. */
export type TestInstallation = Readonly<{
  url: string;
  /** The REST API with the owner's token. */
  client: Client;
  agents: readonly RunningAgent[];
  /** Where each part serves metrics; the agent is the first one. */
  metricsPorts: Targets;
}>;

/** Starts it all and waits until each agent (node-1, node-2, …) has been welcomed; stopped after the test. */
export async function startInstallation(
  t: TestScope,
  { agents: count = 1, agent: settings = {} }: { agents?: number; agent?: Readonly<Record<string, unknown>> } = {},
): Promise<TestInstallation> {
  const directory = temporaryDirectory(t);
  const dataDir = makeDataDir(join(directory, 'controller'));
  const keys = ensureKeys(dataDir, 'default', SYSTEM_CLOCK);
  const broker = await startBroker({
    config: BrokerConfig.parse({ port: 0, metrics_port: 0, root_file: keys.rootFile, keys_file: keys.listFile }),
    ...{ log: silent('broker'), clock: SYSTEM_CLOCK },
  });
  t.after(() => broker.stop(AbortSignal.abort()));
  const controller = await startController({
    config: ControllerConfig.parse({
      port: 0,
      data_dir: dataDir,
      broker_url: `mqtt://127.0.0.1:${broker.port}`,
    }),
    ...{ log: silent('controller'), clock: SYSTEM_CLOCK },
  });
  t.after(() => controller.stop(AbortSignal.abort()));
  const client = createClient({ url: controller.url, token: controller.ownerToken ?? '' });
  const { token } = await client.call(EnrollmentTokenCreated, {
    method: 'POST',
    path: '/enrollment-tokens',
    body: { uses: count },
  });

  const agents: RunningAgent[] = [];
  for (let number = 1; number <= count; number += 1) {
    const agent = AgentConfig.parse({
      enroll_url: controller.url,
      enroll_token: token,
      node_id: `node-${number}`,
      data_dir: join(directory, `node-${number}`),
      metrics_port: 0,
      ...settings,
    });
    const started = await startAgent({
      config: { agent, mesh: MeshConfig.parse({}) },
      ...{ log: silent('agent'), clock: SYSTEM_CLOCK },
    });
    t.after(() => started.stop(AbortSignal.abort()));
    agents.push(started);
  }
  await Promise.all(agents.map(({ whenWelcomed }) => whenWelcomed));
  return {
    url: controller.url,
    client,
    agents,
    metricsPorts: {
      broker: broker.metricsPort,
      controller: controller.port,
      agent: agents[0]?.metricsPort ?? 0,
    },
  };
}

function silent(part: string): Logger {
  return createLogger(part, { level: 'silent' });
}
