import type { Scenario } from '../scenario.js';
import { fleetReturns } from './fleet-returns.js';
import { races } from './races.js';
import { submitKills } from './submit-kills.js';
import { submitPowerCuts } from './submit-power-cuts.js';
import { twoControllers } from './two-controllers.js';

/** All fault runs of the controller, in the order in which they run. */
export const CONTROLLER_SCENARIOS: readonly Scenario[] = [
  ...submitKills,
  ...submitPowerCuts,
  ...races,
  twoControllers,
  ...fleetReturns,
];
