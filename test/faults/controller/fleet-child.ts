// Many agents of the real code in one process. Its argument says which ones, where, and over how long a time they begin.
// It says `ready` when it is up and `welcomed` once each agent has been; SIGTERM stops them in order.

import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { AgentConfig, MeshConfig } from '../../../agent/config.js';
import { type RunningAgent, startAgent } from '../../../agent/start.js';
import { SYSTEM_CLOCK } from '../../../runtime/clock.js';
import { createLogger } from '../../../runtime/logger.js';
import { HARMLESS } from '../../support/harmless.js';
import { FleetShare } from './fleet-share.js';

const { url, directory, hooks, isolation, agents, spreadMs } = FleetShare.parse(JSON.parse(process.argv[2] ?? ''));
const log = createLogger('agent', { level: 'error' });

async function start({ node, token }: (typeof agents)[number], at: number): Promise<RunningAgent> {
  await wait((at / agents.length) * spreadMs);
  const config = AgentConfig.parse({
    ...{ enroll_url: url, enroll_token: token, node_id: node, data_dir: join(directory, node), hooks_dir: hooks },
    ...{ metrics_port: -1, process_isolation: isolation, restart_guard: false, ...HARMLESS },
  });
  const agent = await startAgent({ config: { agent: config, mesh: MeshConfig.parse({}) }, log, clock: SYSTEM_CLOCK });
  await agent.whenWelcomed;
  return agent;
}

const starting = Promise.all(agents.map(start));
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', async () => {
  const running = await starting;
  await Promise.all(running.map((agent) => agent.stop(AbortSignal.abort())));
  process.exit(0);
});
process.send?.({ ready: {} });
await starting;
process.send?.({ welcomed: agents.length });
