import { join } from 'node:path';
import { buildBrokenAgent } from './broken-agent.js';
import { buildBrokenProgram } from './broken-program.js';
import { CONTROLLER_CONTROLS } from './controller/controls.js';
import { CONTROLLER_SCENARIOS } from './controller/scenarios.js';
import { CONTROLS } from './controls.js';
import { SCENARIOS } from './scenarios.js';
import type { Suite } from './suite.js';

/** What `npm run prove:agent` runs. */
export const AGENT_SUITE: Suite = {
  scenarios: SCENARIOS,
  controls: CONTROLS,
  async buildBroken(directory, breakages) {
    const agentBundle = join(directory, 'muster-agent.cjs');
    await buildBrokenAgent(agentBundle, breakages);
    return { agentBundle };
  },
};

/** What `npm run prove:controller` runs. */
export const CONTROLLER_SUITE: Suite = {
  scenarios: CONTROLLER_SCENARIOS,
  controls: CONTROLLER_CONTROLS,
  buildBroken: async (directory, breakages) => ({ program: await buildBrokenProgram(directory, breakages) }),
};

/** By the name that the command line gives. */
export const SUITES: ReadonlyMap<string, Suite> = new Map([
  ['agent', AGENT_SUITE],
  ['controller', CONTROLLER_SUITE],
]);
