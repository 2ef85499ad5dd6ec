import { SYSTEM_CLOCK } from '../runtime/clock.js';
import type { ConfigOf } from '../runtime/config.js';
import { announceReady, runProcess } from '../runtime/lifecycle.js';
import { createLogger } from '../runtime/logger.js';
import { AgentConfig, MeshConfig } from './config.js';
import { startAgent } from './start.js';

/** The sections of the configuration that an agent reads. */
export const AGENT_SECTIONS = { agent: AgentConfig, mesh: MeshConfig } as const;

/** Runs an agent as a process of its own until it is told to stop. */
export async function runAgent(config: ConfigOf<typeof AGENT_SECTIONS>): Promise<void> {
  const log = createLogger('agent', { level: config.agent.log_level });
  await runProcess(log, async (signal) => {
    const agent = await startAgent({ config, log, clock: SYSTEM_CLOCK, signal });
    announceReady({ node: agent.node, metricsPort: agent.metricsPort ?? 0 });
    void agent.whenWelcomed.then(() => process.send?.({ welcomed: true }));
    return agent;
  });
}
