import { z } from 'zod';
import type { PollingInstallation } from './polling.js';
import { type ScriptedAgent, startScriptedAgent } from './scripted-agent.js';

/** A container that runs, and one that does not. */
export const WEB = { id: `3f1c${'0'.repeat(60)}`, name: 'web', state: 'running' };
export const DB = { id: `9a2b${'1'.repeat(60)}`, name: 'db', state: 'exited' };
/** What such a node offers. */
export const CONTAINER_ACTIONS = ['container_start', 'container_stop', 'container_restart'].map((name) => ({
  ...{ name, description: '' },
  parameters: [{ name: 'container', type: 'string' as const, required: true, description: '' }],
}));
/** What an ask for an action on a container is answered with. */
export const Answered = z.strictObject({
  type: z.literal('action_result'),
  action_id: z.string(),
  status: z.enum(['SUCCESS', 'FAILURE', 'PENDING']),
  error: z.string(),
  error_code: z.string().optional(),
});

/** A node with an engine, which a test speaks for. */
export async function startDocker(
  t: Parameters<typeof startScriptedAgent>[0],
  { muster }: PollingInstallation,
  {
    node = 'docker-1',
    containers = [WEB, DB],
    runs = false,
  }: { node?: string; containers?: readonly Readonly<Record<string, unknown>>[]; runs?: boolean } = {},
): Promise<ScriptedAgent> {
  const script = { actions: CONTAINER_ACTIONS, containers, runs };
  return startScriptedAgent(t, { services: muster.core.services, brokerUrl: muster.brokerUrl, node, script });
}
