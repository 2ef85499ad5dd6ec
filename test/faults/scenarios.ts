import type { Scenario } from './scenario.js';
import { brokerLoss } from './scenarios/broker-loss.js';
import { brokerSwap } from './scenarios/broker-swap.js';
import { clockJumps } from './scenarios/clock-jumps.js';
import { controllerKills } from './scenarios/controller-kills.js';
import { crashPoints } from './scenarios/crash-points.js';
import { frozen } from './scenarios/frozen.js';
import { fullDisk } from './scenarios/full-disk.js';
import { hostileLink } from './scenarios/hostile-link.js';
import { ioError } from './scenarios/io-error.js';
import { killUnderLoad } from './scenarios/kill-under-load.js';
import { lossyNetwork } from './scenarios/lossy-network.js';
import { powerCut } from './scenarios/power-cut.js';
import { stopUnderLoad } from './scenarios/stop-under-load.js';

/** All fault runs, by what they harm, in the order in which they run. A new one is a file in `scenarios/` and a line here. */
export const SCENARIO_GROUPS = {
  processes: [crashPoints, killUnderLoad, controllerKills, stopUnderLoad],
  machines: [powerCut, fullDisk, ioError, clockJumps],
  links: [hostileLink, lossyNetwork, frozen],
  brokers: [brokerLoss, brokerSwap],
} as const satisfies Readonly<Record<string, readonly Scenario[]>>;

export const SCENARIOS: readonly Scenario[] = Object.values(SCENARIO_GROUPS).flat();
