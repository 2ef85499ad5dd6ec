import { setTimeout as wait } from 'node:timers/promises';
import { type Memory, memoryOf } from './agent/process-figures.js';
import { askFleet, type Fleet } from './fleet.js';
import type { Line } from './table.js';

const NODES = 10_000;
const AIM_MB = 400;
/** What the arrival of the nodes leaves behind is collected by then. */
const SETTLE_MS = 10_000;
const MB_IN_MIB = 1e6 / 2 ** 20;

/** What a controller takes with ten thousand nodes online, and the most that it ever took, a broadcast included. */
export async function measureMemory(fleet: Fleet): Promise<Line[]> {
  const { api, controllerPid } = await fleet.of(NODES);
  await wait(SETTLE_MS);
  const before = memoryOf(controllerPid);
  await askFleet(api, NODES);
  await wait(SETTLE_MS);
  const after = memoryOf(controllerPid);
  const most = after.peakMiB / MB_IN_MIB;
  const count = NODES.toLocaleString('en-US');
  return [
    { what: `controller, ${count} nodes online, resident`, figures: inWords(before) },
    {
      what: 'controller, after a broadcast to them',
      figures: `${inWords(after)}, the most ever ${most.toFixed(0)} MB`,
      aim: `aim ≤ ${AIM_MB} MB at any time`,
      met: most <= AIM_MB,
    },
  ];
}

function inWords({ residentMiB, anonymousMiB }: Memory): string {
  return `${(residentMiB / MB_IN_MIB).toFixed(0)} MB (${(anonymousMiB / MB_IN_MIB).toFixed(0)} its own)`;
}
