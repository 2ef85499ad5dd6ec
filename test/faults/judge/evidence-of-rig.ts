import type { AgentPart } from '../rig/agent-part.js';
import type { PatientApi } from '../rig/api.js';
import type { Load } from '../rig/load.js';
import type { Part } from '../rig/part.js';
import { countDescriptors, findProcesses, killProcess } from '../rig/proc.js';
import { settles } from '../rig/settles.js';
import { type Canary, findLeaks } from './canary.js';
import type { AgentEvidence, Evidence } from './evidence.js';
import { readJournal, readOutcomes, readStore } from './gather.js';
import { readLedger } from './ledger.js';

/** What a rig consists of, for the one who looks through it at the end. */
export type RigParts = Readonly<{
  directory: string;
  ledgerFile: string;
  /** The URL of a database, or the directory of the controller's own. */
  store: string;
  agents: readonly AgentPart[];
  controllers: readonly Part[];
  broker: Part;
  load: Load;
  api: PatientApi;
  canary: Canary;
  /**
   * How long results may wait for their receipts. They follow results within 2 s; one that was lost comes with a
   * repetition of the result, ever more rarely.
   */
  quietMs: number;
}>;

/** An agent has this long to close what it has open, and no longer than it may take for all the rest. */
const IDLE_MS = 15_000;
/** The kernel needs a moment to end what was killed. */
const BURIAL_MS = 5_000;

/** Asks the controller, then ends all parts, the agents first, and reads what they leave on disk. */
export async function gatherEvidence(rig: RigParts): Promise<Evidence> {
  for (const agent of rig.agents) {
    if (agent.isRunning()) await settles(async () => (await agent.unreceipted()) === 0, rig.quietMs);
  }
  const outcomes = await readOutcomes(rig.load, rig.api);
  const agents = [];
  for (const agent of rig.agents) agents.push(await endAgent(agent, rig));
  const { digits } = rig.canary;
  await settles(() => findProcesses(digits).length === 0, BURIAL_MS);
  const survivors = findProcesses(digits);
  for (const survivor of survivors) killProcess(survivor);
  const core = [rig.broker, ...rig.controllers].map((part) => part.lives());
  for (const controller of rig.controllers) await controller.kill('SIGTERM');
  await rig.broker.kill('SIGTERM');
  return {
    accepted: rig.load.accepted,
    ledger: readLedger(rig.ledgerFile),
    outcomes,
    store: await readStore(rig.store),
    agents,
    core,
    survivors,
    leaks: findLeaks(rig.directory, [rig.canary.secret, ...rig.agents.map(({ token }) => token)]),
  };
}

async function endAgent(agent: AgentPart, { load, quietMs }: RigParts): Promise<AgentEvidence> {
  const { node, dataDir } = agent;
  const wasRunning = agent.isRunning();
  let after = 0;
  if (wasRunning) {
    await settles(
      () => {
        after = countDescriptors(agent.pid());
        return after <= agent.idleDescriptors();
      },
      Math.min(IDLE_MS, quietMs),
    );
  }
  const lives = agent.lives();
  const end = wasRunning ? await agent.kill('SIGTERM') : undefined;
  const ids = load.accepted.filter((each) => each.node === node).map(({ executionId }) => executionId);
  return {
    node,
    lives,
    journal: await readJournal(dataDir, { org: 'default', node, ids }),
    descriptors: wasRunning ? { idle: agent.idleDescriptors(), after } : undefined,
    exitCode: end?.code,
  };
}
