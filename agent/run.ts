import type { z } from 'zod';
import { SYSTEM_CLOCK } from '../runtime/clock.js';
import type { ConfigOf } from '../runtime/config.js';
import { announceReady, type Running, runProcess } from '../runtime/lifecycle.js';
import { createLogger, type Logger } from '../runtime/logger.js';
import { createSecrets } from '../runtime/masking/mask.js';
import type { SystemdNotifier } from '../runtime/systemd.js';
import { AgentConfig, MeshConfig } from './config.js';
import { closeInherited } from './inherited.js';
import { type RunningAgent, startAgent } from './start.js';
import { isSupervised, type Restarting, runAgain } from './successor.js';

/** The sections of the configuration that an agent reads. */
export const AGENT_SECTIONS = { agent: AgentConfig, mesh: MeshConfig } as const;

/** Runs an agent as a process of its own until it is told to stop. */
export async function runAgent(config: ConfigOf<typeof AGENT_SECTIONS>): Promise<void> {
  const inherited = closeInherited();
  const secrets = createSecrets();
  const log = createLogger('agent', { level: config.agent.log_level, mask: secrets.mask });
  if (inherited.length > 0) log.info({ descriptors: inherited.length }, 'inherited descriptors closed');
  const startAgain = isSupervised(process.env) ? undefined : (stop: AbortSignal) => runAgain({ log, stop });
  const start = async (signal: AbortSignal): Promise<Running> => {
    const notifier = await notifierOf(log);
    const agent = await startAgent({ config, secrets, log, clock: SYSTEM_CLOCK, signal });
    void agent.whenLeaving.then(() => {
      log.info('restarting agent');
      process.send?.({ restarting: true } satisfies z.infer<typeof Restarting>);
    });
    announceReady({ node: agent.node, metricsPort: agent.metricsPort ?? 0 });
    void agent.whenWelcomed.then(() => process.send?.({ welcomed: true }));
    notifier?.ready(agent.pulse);
    return notifier === undefined ? agent : announcingItsEnd(agent, notifier);
  };
  await runProcess(log, start, { startAgain });
}

/** Loaded only under systemd. */
async function notifierOf(log: Logger): Promise<SystemdNotifier | undefined> {
  if (process.env.NOTIFY_SOCKET === undefined) return undefined;
  const { startSystemdNotifier } = await import('../runtime/systemd.js');
  return startSystemdNotifier({ env: process.env, pid: process.pid, log });
}

function announcingItsEnd(agent: RunningAgent, notifier: SystemdNotifier): Running {
  return {
    drainMs: agent.drainMs,
    whenLeaving: agent.whenLeaving,
    async stop(hurry) {
      notifier.stopping();
      await agent.stop(hurry);
      notifier.end();
    },
  };
}
