import type { CreateInvocation, InvocationView } from '../../controller/http/schemas.js';
import type { Services } from '../../controller/services.js';
import type { Clock } from '../../runtime/clock.js';
import type { Secrets } from '../../runtime/masking/mask.js';
import { invoke } from './asks.js';
import type { TestScope } from './broker.js';
import { startTestCore, type TestCore } from './core.js';
import { type AgentScript, type Offered, type ScriptedAgent, startScriptedAgent } from './scripted-agent.js';
import { until } from './until.js';

const NODE = 'pump-1';
const DONE_MS = 5_000;

/** A controller with the one node `pump-1`. After a restart of the controller `muster.core` has the new services. */
export type CoreWithNode = Readonly<{
  muster: TestCore;
  services: Services;
  agent: ScriptedAgent;
  /** Asks the node for `ping`, and waits until it is offered. */
  offer: (changes?: Partial<CreateInvocation>) => Promise<{ id: string; offered: Offered }>;
  /** Waits until the invocation has this status. */
  becomes: (id: string, status: InvocationView['status']) => Promise<void>;
  /** The invocation as soon as it has ended. */
  whenDone: (id: string) => Promise<InvocationView | undefined>;
  /** The node says offline, and the controller has heard it. */
  goOffline: () => Promise<void>;
}>;

/** Starts both; the node has been welcomed and has announced its actions. */
export async function startCoreWithNode(
  t: TestScope,
  { script, ...options }: { clock?: Clock; directory?: string; secrets?: Secrets; script?: AgentScript } = {},
): Promise<CoreWithNode> {
  const muster = await startTestCore(t, options);
  const { services } = muster.core;
  const { brokerUrl } = muster;
  const agent = await startScriptedAgent(t, { services, brokerUrl, node: NODE, ...(script && { script }) });
  return {
    ...{ muster, services, agent },
    async offer(changes) {
      const id = await invoke(services.invocations, { nodes: [NODE] }, changes);
      return { id, offered: await agent.nextOffer() };
    },
    async becomes(id, status) {
      await until(async () => (await services.invocations.get('default', id))?.status === status, { what: status });
    },
    whenDone: (id) => services.invocations.whenDone('default', id, { ms: DONE_MS }),
    async goOffline() {
      await agent.goOffline();
      await until(async () => (await services.nodes.get('default', NODE))?.state === 'offline', { what: 'offline' });
    },
  };
}
