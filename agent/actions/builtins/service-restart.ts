import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Action, ActionEnd } from '../action.js';
import { firstLine, runTool, type Tools } from '../system/tool.js';
import { allowedUnit, type ShownUnit, showUnits, UnitState } from '../system/units.js';
import { failed, notAllowed, printJson } from './answers.js';

/** Longer than the 90 s that systemd gives a unit to start, unless the unit says otherwise. */
const TIMEOUT_MS = 120_000;
const POLL_MS = 250;

/** States in which systemd has nothing more to do for the unit. */
const SETTLED = new Set(['active', 'inactive', 'failed']);

/** What `service_restart` prints. */
export const ServiceRestart = z.object({
  service: z.string().describe('The unit'),
  restarted: z.boolean().describe('True when it was started anew and is active now'),
  before: UnitState,
  after: UnitState,
});
export type ServiceRestart = Readonly<z.infer<typeof ServiceRestart>>;

/** Restarts one of the units in `agent.services` and waits until it is active or has failed. */
export function serviceRestart({ services, tools }: { services: readonly string[]; tools: Tools }): Action {
  return {
    name: 'service_restart',
    description: 'Restarts a service that agent.services lists, and waits until it is active or has failed',
    risk: 'write',
    parameters: [{ name: 'service', type: 'string', required: true, description: 'Such as nginx or nginx.service' }],
    timeoutMs: TIMEOUT_MS,
    prints: ServiceRestart,
    async run({ parameters, output, signal }) {
      const asked = String(parameters.get('service') ?? '');
      const unit = allowedUnit(asked, services);
      if (unit === undefined) return notAllowed(`the service ${asked}`, 'services');
      if (await isOwnUnit(unit))
        return failed(output, `${unit} is the agent itself, which cannot wait for its own end`);
      const before = await showOne(unit, tools, signal);
      if (before.kind === 'failed') return before.end;
      if (before.unit.state.load_state !== 'loaded') {
        return failed(output, `${unit} is ${before.unit.state.load_state}, so it was not restarted`);
      }
      const args = ['restart', '--no-ask-password', '--', unit];
      const run = await runTool({ file: 'systemctl', args }, tools, { signal });
      const after = await whenSettled(unit, tools, signal);
      if (after.kind === 'failed') return after.end;
      const isOk = run.end.kind === 'exited' && run.end.exitCode === 0;
      const isNew = after.unit.invocation !== before.unit.invocation;
      const restarted = isOk && isNew && after.unit.state.active_state === 'active';
      printJson<ServiceRestart>(output, {
        service: unit,
        restarted,
        before: before.unit.state,
        after: after.unit.state,
      });
      if (restarted) return { kind: 'exited', exitCode: 0 };
      return failed(
        output,
        isOk ? `${unit} is ${after.unit.state.active_state} after the restart` : firstLine(run.stderr),
      );
    },
  };
}

type ShownOne = Readonly<{ kind: 'shown'; unit: ShownUnit }> | Readonly<{ kind: 'failed'; end: ActionEnd }>;

async function showOne(unit: string, tools: Tools, signal: AbortSignal): Promise<ShownOne> {
  const shown = await showUnits([unit], tools, signal);
  if (shown.kind === 'failed') return shown;
  const [first] = shown.units;
  if (first === undefined) throw new Error('systemctl show was not read');
  return { kind: 'shown', unit: first };
}

/** What a unit that starts again and again is in between is no answer. Bounded by the action's time-out. */
async function whenSettled(unit: string, tools: Tools, signal: AbortSignal): Promise<ShownOne> {
  for (;;) {
    const shown = await showOne(unit, tools, signal);
    if (shown.kind === 'failed' || SETTLED.has(shown.unit.state.active_state)) return shown;
    await delay(POLL_MS, undefined, { signal });
  }
}

/** By the control group in which systemd runs the agent. */
async function isOwnUnit(unit: string): Promise<boolean> {
  const groups = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  return groups.split(/[/\n]/).includes(unit);
}
