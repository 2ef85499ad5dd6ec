import { randomUUID } from 'node:crypto';
import type { ActionEnd, RunEnd } from '../../agent/actions/action.js';
import { type BuiltinHost, builtins } from '../../agent/actions/builtins/list.js';
import { createOutputCapture } from '../../agent/actions/output-capture.js';
import { createProcessGroupIsolation } from '../../agent/actions/process-group.js';
import { readSystem } from '../../agent/actions/system/platform.js';
import { AgentConfig } from '../../agent/config.js';
import { createMaskedSink } from '../../agent/executor/masked-sink.js';
import type { OwnProcess } from '../../agent/machine.js';
import type { ParameterValue } from '../../protocol/messages/parameters.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { createLogger } from '../../runtime/logger.js';
import { NO_MASK } from '../../runtime/masking/mask.js';
import { EXECUTION_ID, writeHook } from './hooks.js';

/** Programs of the system, and nothing of the agent's environment. */
export const TOOLS = {
  path: '/usr/sbin:/usr/bin:/sbin:/bin',
  isolation: createProcessGroupIsolation(),
  log: createLogger('agent', { level: 'silent' }),
};

export const NODE = { nodeId: 'pump-7', meshIp: () => '10.9.0.7', peerCount: async () => 3 };

/** An agent's own process that a test says to be this one: it never leaves. */
export function ownProcess(changes: Partial<OwnProcess> = {}): OwnProcess {
  return {
    machine: { processId: randomUUID(), bootId: randomUUID(), clock: SYSTEM_CLOCK },
    files: [process.execPath],
    running: () => 1,
    leave: () => undefined,
    ...changes,
  };
}

/** What a built-in is made with in a test, where it differs from a node without any settings. */
export type BuiltinChanges = Partial<Omit<BuiltinHost, 'settings'>> &
  Readonly<{ settings?: Partial<BuiltinHost['settings']>; signal?: AbortSignal }>;

/** How a built-in ended, and what it wrote. */
export type BuiltinRun = Readonly<{ end: RunEnd; stdout: string; stderr: string; stdoutBytes: Buffer }>;

/** Runs the built-in of this name as the executor would. */
export async function runBuiltin(
  name: string,
  parameters: Readonly<Record<string, ParameterValue>> = {},
  { settings, signal = new AbortController().signal, ...changes }: BuiltinChanges = {},
): Promise<BuiltinRun> {
  if (name === 'reboot' && settings?.reboot_command === undefined && (changes.path ?? TOOLS.path).includes('/sbin'))
    throw new Error('no test asks the programs of this machine for a reboot');
  const maxOutputBytes = changes.maxOutputBytes ?? 1024 * 1024;
  const action = builtins({
    ...TOOLS,
    node: NODE,
    settings: { ...AgentConfig.parse({}), ...settings },
    endpoints: { broker: 'mqtt://127.0.0.1:1', controller: undefined },
    dataDir: '/nonexistent',
    maxOutputBytes,
    mask: NO_MASK,
    clock: SYSTEM_CLOCK,
    own: ownProcess(),
    system: readSystem(),
    env: {},
    ...changes,
  }).find((each) => each.name === name);
  if (action === undefined) throw new Error(`there is no built-in ${name}`);
  const output = createOutputCapture({ maxBytes: maxOutputBytes });
  const sink = createMaskedSink(output, changes.mask ?? NO_MASK);
  const end = await action.run({
    executionId: EXECUTION_ID,
    parameters: new Map(Object.entries(parameters)),
    timeoutMs: 30_000,
    signal,
    output: sink,
  });
  sink.close();
  const bytesOf = (stream: 'stdout' | 'stderr'): Buffer => {
    const { data, encoding } = output.inline(stream, maxOutputBytes);
    return Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8');
  };
  const stdoutBytes = bytesOf('stdout');
  return { end, stdoutBytes, stdout: stdoutBytes.toString('utf8'), stderr: bytesOf('stderr').toString('utf8') };
}

export const EXITED_0: ActionEnd = { kind: 'exited', exitCode: 0 };
export const EXITED_1: ActionEnd = { kind: 'exited', exitCode: 1 };

/** A PATH that finds a stand-in for one program of the system before the real ones. */
export function withProgram(directory: string, name: string, script: string): string {
  writeHook(directory, name, script);
  return `${directory}:${TOOLS.path}`;
}
