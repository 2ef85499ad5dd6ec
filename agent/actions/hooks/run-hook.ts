import { parseDuration } from '../../../protocol/durations.js';
import type { ErrorCode } from '../../../protocol/errors.js';
import { errnoOf } from '../../../runtime/errno.js';
import type { Logger } from '../../../runtime/logger.js';
import type { Action, ActionContext, ActionEnd } from '../action.js';
import type { Isolation } from '../isolation.js';
import { type ProgramEnd, runProgram } from '../processes.js';
import { within } from '../waiting.js';
import { type Hook, isHookName } from './discover.js';
import { executionMarker, hookEnvironment } from './environment.js';
import { startFault } from './first-line.js';
import { type FileFault, hashHook, isSameChecksum, MAX_HOOK_BYTES, readOwnedFile } from './hook-file.js';
import { makePrivateCopy, type PrivateCopy } from './private-copy.js';
import { type SandboxWish, sandboxProgram } from './sandbox.js';

/** Between SIGTERM and SIGKILL (P-42). */
const GRACE_MS = 500;

/** The result waits no longer for the removal of what a hook has left in its directory; it goes on by itself. */
const REMOVE_WAIT_MS = 5_000;

/** Decides whether a hook's bytes are those that the controller expects (P-57). The default compares SHA-256 (P-58). */
export type HookVerifier = (
  hook: Readonly<{ nodeId: string; file: string; content: Buffer; checksum: string }>,
) => Promise<boolean>;

/** What every hook of an agent shares. */
export type HookHost = Readonly<{
  nodeId: string;
  /** `agent.hooks_env_prefix`. */
  envPrefix: string;
  agentEnv: Readonly<Record<string, string | undefined>>;
  /** The agent's data directory; private copies live below it while they run. */
  dataDir: string;
  /** Where its local socket lies; undefined when it serves none. */
  socketDirectory?: string | undefined;
  isolation: Isolation;
  log: Logger;
  verify?: HookVerifier;
}>;

/** The action that runs this hook. */
export function createHookAction({ spec, file }: Hook, host: HookHost): Action {
  const timeoutMs = parseDuration(spec.timeout ?? '');
  return {
    name: spec.name,
    description: spec.description,
    risk: spec.risk ?? 'write',
    parameters: spec.parameters,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(spec.concurrency === undefined ? {} : { concurrency: spec.concurrency }),
    asksMayStart: true,
    checksum: () => presentChecksum(file),
    run: (context) => runHook({ spec, file }, host, context),
  };
}

async function presentChecksum(file: string): Promise<string | undefined> {
  const read = await readOwnedFile(file, { maxBytes: MAX_HOOK_BYTES, isExecutable: true });
  return read.kind === 'refused' ? undefined : hashHook(read.content);
}

/** Checks in the order of P-6, then runs a private copy of the very bytes that were checked. */
async function runHook({ spec, file }: Hook, host: HookHost, context: ActionContext): Promise<ActionEnd> {
  const { name } = spec;
  if (!isHookName(name)) return failure('hook_not_found', `${name} cannot be the name of a hook.`);

  const read = await readOwnedFile(file, { maxBytes: MAX_HOOK_BYTES, isExecutable: true });
  if (read.kind === 'refused') return fileFailure(name, read.fault);

  const mismatch = await checkIntegrity({ name, file, content: read.content, checksum: context.checksum }, host);
  if (mismatch !== undefined) return mismatch;

  const environment = hookEnvironment({
    prefix: host.envPrefix,
    nodeId: host.nodeId,
    executionId: context.executionId,
    parameters: context.parameters,
    agentEnv: host.agentEnv,
  });
  if (environment.kind === 'invalid') return failure('invalid_parameter', environment.message);
  const fault = startFault(read.content);
  if (fault !== undefined) return failure('start_failed', `${name} cannot be started: ${fault}.`);

  return runCopy({ name, content: read.content, wish: spec, env: environment.env }, host, context);
}

async function checkIntegrity(
  {
    name,
    file,
    content,
    checksum = '',
  }: { name: string; file: string; content: Buffer; checksum?: string | undefined },
  { nodeId, verify = verifyChecksum, log }: HookHost,
): Promise<ActionEnd | undefined> {
  if (checksum === '') return failure('integrity_check_failed', `The expected checksum of ${name} is required.`);
  if (await verify({ nodeId, file, content, checksum })) return undefined;
  const actual = hashHook(content);
  log.error({ hook: name, expected: checksum, actual }, 'hook integrity check failed');
  const detail = `The SHA-256 of ${name} is ${actual}, but the request says ${checksum}.`;
  const violation = { type: 'hook', path: file, expected: checksum, actual, detail };
  return { kind: 'error', code: 'integrity_check_failed', message: detail, violation };
}

const verifyChecksum: HookVerifier = async ({ content, checksum }) => isSameChecksum(hashHook(content), checksum);

async function runCopy(
  hook: { name: string; content: Buffer; wish: SandboxWish; env: Readonly<Record<string, string>> },
  host: HookHost,
  context: ActionContext,
): Promise<ActionEnd> {
  let copy: PrivateCopy;
  try {
    copy = await makePrivateCopy(hook, host);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return failure('start_failed', `The private copy of ${hook.name} could not be made: ${errno}.`);
  }
  try {
    const marker = executionMarker(host.envPrefix, { nodeId: host.nodeId, executionId: context.executionId });
    const program = { file: copy.file, args: [], cwd: copy.cwd, env: hook.env, graceMs: GRACE_MS, marker };
    const surroundings = { isolation: host.isolation, log: host.log, signal: context.signal, output: context.output };
    const hiddenDirectories = [host.dataDir, host.socketDirectory].filter((directory) => directory !== undefined);
    const sandboxed = await sandboxProgram(hook.wish, { program, hiddenDirectories }, surroundings);
    if (sandboxed.kind === 'unavailable') return failure('sandbox_unavailable', sandboxed.message);
    const { mayStart, launched, exited } = context;
    const end = await runProgram(sandboxed.program, { ...surroundings, mayStart, launched, exited });
    return toActionEnd(hook.name, end);
  } finally {
    await within(copy.remove(), REMOVE_WAIT_MS);
  }
}

function toActionEnd(name: string, end: ProgramEnd): ActionEnd {
  if (end.kind !== 'not_started') return end;
  switch (end.errno) {
    case 'ECANCELED':
      return failure('cancelled', `${name} was ended before it started.`);
    case 'ETIME':
      return failure('expired', `The time of the request was over before ${name} could start.`);
    case 'E2BIG':
      return failure('start_failed', `The parameters are more than the system hands to a program (${end.errno}).`);
    case 'ENOENT':
      return failure('start_failed', `The interpreter that the first line of ${name} names is not on the node.`);
    case 'EACCES':
      return failure(
        'start_failed',
        `The copy of ${name} may not be executed: agent.data_dir must not be mounted noexec, and the interpreter that its first line names must be executable.`,
      );
    case 'EAGAIN':
      return failure(
        'start_failed',
        `${name} was not started: the system lets the agent start no more processes (EAGAIN).`,
      );
    case 'ESRCH':
      return failure(
        'start_failed',
        `${name} was not started: the first process of its PID namespace was ended by others or could not start (ESRCH). The next start makes a new one.`,
      );
    case 'ETIMEDOUT':
      return failure('start_failed', `${name} was not started: its PID namespace was not there in time (ETIMEDOUT).`);
    default:
      return failure('start_failed', `${name} could not be started: ${end.errno}.`);
  }
}

function fileFailure(name: string, fault: FileFault): ActionEnd {
  if (fault === 'missing') return failure('hook_not_found', `The file of ${name} is gone.`);
  return failure('hook_not_executable', `The file of ${name} is not taken: ${fault.replaceAll('_', ' ')}.`);
}

function failure(code: ErrorCode, message: string): ActionEnd {
  return { kind: 'error', code, message };
}
