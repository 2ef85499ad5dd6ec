import type { Breakage } from './breakage.js';
import type { Control } from './control.js';
import type { Scenario, ScenarioContext } from './scenario.js';

/** What is harmed together, and the negative controls of it. */
export type Suite = Readonly<{
  scenarios: readonly Scenario[];
  controls: readonly Control[];
  /** Builds what the suite is about with breakages of it, below this directory, and says where it is. */
  buildBroken: (
    directory: string,
    breakages: readonly Breakage[],
  ) => Promise<Partial<Pick<ScenarioContext, 'agentBundle' | 'program'>>>;
}>;
