import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { parseDuration } from '../../../protocol/durations.js';
import { awayMs, hasRebooted, type OwnProcess } from '../../machine.js';
import type { Action, ActionContext, ActionEnd, FollowContext, FollowEnd, RunEnd } from '../action.js';
import { type RebootPlatform, rebootCommands, type SystemCommand } from '../system/reboot-commands.js';
import { lastLine, runTool, type Tools } from '../system/tool.js';
import { whenFired } from '../waiting.js';
import { failed, invalidParameter, notWritten, printJson } from './answers.js';

/** For the controller, which waits as long for the node to come back. */
const TIMEOUT_MS = 900_000;
const DEFAULT_DELAY = '1m';
const MAX_DELAY_MS = 3_600_000;
/** So long after its time a machine that is still up does not reboot any more. */
const PATIENCE_MS = 600_000;
/** The value of `agent.reboot_command` with which a node refuses every reboot. */
const OFF = 'off';
/** Both are orders to the system, which answer at once. */
const SCHEDULE_MS = 15_000;
const CALL_OFF_MS = 4_000;

/** What `reboot` prints, once the machine is back. */
export const Reboot = z.object({
  message: z.string().describe('Such as `Reboot scheduled (1 minute)`'),
  away_ms: z.int().describe('From when the agent was ended for the reboot to when it was there again'),
});
export type Reboot = Readonly<z.infer<typeof Reboot>>;

export type RebootDeps = Readonly<{
  own: Pick<OwnProcess, 'machine' | 'running'>;
  platform: Omit<RebootPlatform, 'program'>;
  /** `agent.reboot_command`. */
  command: string | undefined;
  tools: Tools;
  /** Milliseconds. */
  patienceMs?: number;
}>;

/**
 * Reboots the machine after a delay in which it can be cancelled (F-64…F-66). Done is what a process says that runs in
 * another boot (promise 24).
 */
export function reboot({ own, platform, command, tools, patienceMs = PATIENCE_MS }: RebootDeps): Action {
  const { machine } = own;
  const commands = rebootCommands({ ...platform, program: command === OFF ? undefined : command });
  /** The execution whose reboot this machine waits for. */
  let scheduled: string | undefined;

  async function run(context: ActionContext): Promise<RunEnd> {
    const { executionId, parameters, output, handOver } = context;
    if (command === OFF) return switchedOff();
    const delayMs = readDelay(parameters, commands.stepMs);
    if (delayMs === undefined) return wrongDelay(commands.stepMs);
    const refusal = whyRefused(parameters.get('force') === true);
    if (refusal !== undefined) return failed(output, refusal);
    scheduled = executionId; // before the first await: of two asks in one tick one goes on
    let isUnderWay = false;
    try {
      if (!(await handOver?.(delayMs))) return notWritten('Reboot refused');
      const fault = await schedule(delayMs, context);
      if (fault !== undefined) return failed(output, `Reboot command failed: ${fault}`);
      isUnderWay = true;
      return { kind: 'handed_over' };
    } finally {
      if (!isUnderWay) scheduled = undefined;
    }
  }

  function whyRefused(isForced: boolean): string | undefined {
    if (scheduled !== undefined)
      return `A reboot is scheduled already, by execution ${scheduled}: wait for it, or cancel that one first`;
    const others = own.running() - 1;
    if (isForced || others <= 0) return undefined;
    const what = others === 1 ? 'another action runs' : `${others} other actions run`;
    return `The node was not rebooted, since ${what}: wait for their end, cancel them, or ask with force=true`;
  }

  /** Undefined when it worked, else why not. One that was told to end may have worked, so it is called off. */
  async function schedule(delayMs: number, { signal, output }: ActionContext): Promise<string | undefined> {
    if (signal.aborted) return 'it was cancelled before';
    const limit = AbortSignal.any([signal, AbortSignal.timeout(SCHEDULE_MS)]);
    const fault = await runFirst(commands.schedule(delayMs), tools, limit);
    if (fault === undefined || !limit.aborted) return fault;
    const why = await callOff();
    if (why !== undefined) output.write('stderr', `It could not be called off, so it may still come: ${why}\n`);
    return fault;
  }

  function callOff(): Promise<string | undefined> {
    return runFirst(commands.callOff, tools, AbortSignal.timeout(CALL_OFF_MS));
  }

  async function follow(context: FollowContext): Promise<FollowEnd> {
    const { executionId, handover, parameters, output } = context;
    const message = commands.said(readDelay(parameters, commands.stepMs) ?? 0);
    output.write('stderr', `${message}\n`);
    if (hasRebooted(handover, machine)) {
      printJson<Reboot>(output, { message, away_ms: awayMs(handover, machine) });
      return { kind: 'exited', exitCode: 0 };
    }
    scheduled = executionId;
    try {
      return await awaitReboot(context);
    } finally {
      scheduled = undefined;
    }
  }

  async function awaitReboot({ handover, cancelled, leaving, output }: FollowContext): Promise<FollowEnd> {
    const waiting = new AbortController();
    const { signal } = waiting;
    const leftMs = Math.max(0, handover.due_ms + patienceMs - machine.clock.sinceBootMs());
    const late = delay(leftMs, 'late' as const, { signal }).catch(() => 'late' as const);
    const left = whenFired(leaving, signal).then(() => 'left' as const);
    const cancel = whenFired(cancelled, signal).then(() => 'cancelled' as const);
    try {
      const first = await Promise.race([left, cancel, late]);
      if (first === 'cancelled') {
        const fault = await callOff();
        if (fault === undefined) return { kind: 'called_off' };
        output.write('stderr', `The reboot could not be called off, and is still to come: ${fault}\n`);
      }
      if (first === 'left' || (await Promise.race([left, late])) === 'left') return { kind: 'left' };
      // Whatever it waits for: it should not happen after it was reported as failed.
      return notSeen((await callOff()) === undefined);
    } finally {
      waiting.abort();
    }
  }

  return {
    name: 'reboot',
    description: 'Reboots the node after a delay in which it can be cancelled; reported done when the node is back',
    risk: 'write',
    parameters: [
      { name: 'delay', type: 'string', required: false, default: DEFAULT_DELAY, description: 'At most 1h' },
      {
        name: 'force',
        type: 'boolean',
        required: false,
        default: false,
        description: 'True: also while other actions run, which are ended',
      },
    ],
    timeoutMs: TIMEOUT_MS,
    prints: Reboot,
    run,
    follow,
  };
}

function readDelay(parameters: ActionContext['parameters'], stepMs: number): number | undefined {
  const ms = parseDuration(String(parameters.get('delay') ?? '') || DEFAULT_DELAY);
  return ms !== undefined && ms >= 0 && ms <= MAX_DELAY_MS && ms % stepMs === 0 ? ms : undefined;
}

function switchedOff(): ActionEnd {
  const message = 'agent.reboot_command of this node is off. Who owns the node can change it there.';
  return { kind: 'error', code: 'not_allowed_on_node', message };
}

function wrongDelay(stepMs: number): ActionEnd {
  const unit = stepMs === 1000 ? 'seconds' : 'minutes';
  return invalidParameter(`parameter delay must be a duration in whole ${unit}, such as 1m, and 1h at most`);
}

function notSeen(isCalledOff: boolean): ActionEnd {
  const order = isCalledOff ? 'The order was called off.' : 'It could not be called off, so it may still come.';
  const message = `The node took the order to reboot and is still up long after its time. ${order}`;
  return { kind: 'error', code: 'reboot_not_seen', message };
}

/** Runs these until one works; undefined then, else what the last that could be started said. */
async function runFirst(
  commands: readonly SystemCommand[],
  tools: Tools,
  signal: AbortSignal,
): Promise<string | undefined> {
  let fault = '';
  for (const command of commands) {
    const { end, stderr, stdout } = await runTool(command, tools, { signal });
    if (end.kind === 'exited' && end.exitCode === 0) return undefined;
    if (end.kind === 'not_started') fault ||= `${command.file} could not be started (${end.errno})`;
    else if (signal.aborted) return `${command.file} did not end in time`;
    else fault = lastLine(stderr) || lastLine(stdout) || `${command.file} failed and gave no reason`;
  }
  return fault;
}
