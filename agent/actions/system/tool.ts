import type { Logger } from '../../../runtime/logger.js';
import type { ActionEnd, OutputSink } from '../action.js';
import type { Isolation } from '../isolation.js';
import { createOutputCapture } from '../output-capture.js';
import { type Program, type ProgramEnd, runProgram } from '../processes.js';

const MAX_OUTPUT_BYTES = 512 * 1024;
const MAX_SENTENCE = 300;

/** What a program of the system is started with. */
export type Tools = Readonly<{
  /** PATH in which it is looked for. */
  path: string;
  isolation: Isolation;
  log: Logger;
}>;

/** How a program of the system ended, and what it said. */
export type ToolRun = Readonly<{ end: ProgramEnd; stdout: string; stderr: string }>;

/** A program of the system. */
export type Tool = Readonly<{
  file: string;
  args: readonly string[];
  /** Beside PATH, language and time zone. */
  env?: Readonly<Record<string, string>>;
  /** As whom it runs, when the agent is root. */
  user?: Program['user'];
}>;

/** Runs a program of the system in plain English and UTC; nothing of the agent's environment goes with it. */
export async function runTool(
  { file, args, env: more, user }: Tool,
  { path, isolation, log }: Tools,
  { signal, onStdout }: { signal: AbortSignal; onStdout?: (bytes: Buffer) => void },
): Promise<ToolRun> {
  const capture = createOutputCapture({ maxBytes: MAX_OUTPUT_BYTES });
  const output: OutputSink = {
    write(stream, bytes) {
      if (stream === 'stdout' && onStdout !== undefined) onStdout(Buffer.from(bytes));
      else capture.write(stream, bytes);
    },
  };
  const env = { ...more, PATH: path, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
  const end = await runProgram({ file, args, cwd: '/', env, user, graceMs: 0 }, { signal, output, isolation, log });
  const text = (stream: 'stdout' | 'stderr'): string => {
    const { data, encoding } = capture.inline(stream, MAX_OUTPUT_BYTES);
    return encoding === 'utf-8' ? data : Buffer.from(data, 'base64').toString('utf8');
  };
  return { end, stdout: text('stdout'), stderr: text('stderr') };
}

/** The end of an action whose program is not on the node, or does not work there. */
export function unavailable(program: string, { end, stderr }: ToolRun): ActionEnd {
  const why = end.kind === 'not_started' ? `it could not be started (${end.errno})` : firstLine(stderr);
  return {
    kind: 'error',
    code: 'not_supported_on_node',
    message: `${program} does not work on this node: ${why === '' ? 'it gave no reason' : why}.`,
  };
}

/** The first line of what a program says of its failure, without the full stop. */
export function firstLine(text: string): string {
  return (text.trim().split('\n', 1)[0] ?? '').slice(0, MAX_SENTENCE).replace(/\.$/, '');
}

/** The last line, for programs that tell what they could do without before what they could not. */
export function lastLine(text: string): string {
  return firstLine(text.trim().split('\n').at(-1) ?? '');
}
