import { MusterError } from '../../protocol/errors.js';
import type { Parameters } from '../../protocol/messages/parameters.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { toJson } from '../../runtime/terminal-text.js';
import { askAgent, type LocalCall, type Said } from './client.js';
import { Ask } from './messages.js';
import { createPrinter } from './printer.js';
import { renderActions, renderStatus } from './render.js';

/** What a person asks of the agent of this node. */
export type LocalCommand =
  | Readonly<{ kind: 'status' | 'actions' }>
  | Readonly<{
      kind: 'run';
      action: string;
      parameters: Parameters;
      timeout?: string | undefined;
      reason?: string | undefined;
      stream: boolean;
    }>;

/** What a local command may touch of its process. */
export type LocalIo = Readonly<{
  stdout: Readonly<{ write: (text: string) => unknown }>;
  stderr: Readonly<{ write: (text: string) => unknown }>;
  /** Calls back when the user interrupts; gives what takes the listener away. */
  onInterrupt: (listener: () => void) => () => void;
}>;

type Options = Readonly<{ sockets: readonly string[]; isJson: boolean; io: LocalIo }>;

/**
 * Asks the agent of this node and prints what it says; gives the exit code.
 * @throws {MusterError} usage, agent_not_found, not_a_local_user, deadline_passed, and what the agent refuses with
 */
export async function runLocalCommand(command: LocalCommand, options: Options): Promise<number> {
  const ask = Ask.safeParse(command);
  if (!ask.success) {
    const faults = ask.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new MusterError('usage', faults.join('; '));
  }
  const call = await askAgent(options.sockets, ask.data);
  if (ask.data.kind === 'run') return followRun(call, options);
  const { isJson, io } = options;
  for await (const said of call.answers) {
    const text = isJson ? toJson(bodyOf(said)) : render(said);
    io.stdout.write(`${text}\n`);
    return 0;
  }
  throw goneAway();
}

function bodyOf(said: Said): unknown {
  if (said.kind === 'status') return said.status;
  const { kind: _, ...body } = said;
  return body;
}

function render(said: Said): string {
  if (said.kind === 'status') return renderStatus(said.status);
  if (said.kind === 'actions') return renderActions(said);
  throw new MusterError('invalid_request', 'The agent answers what was not asked');
}

/**
 * Like a program in the foreground: the first interrupt ends the action and still shows how it ended, the next one
 * leaves it to the agent.
 */
async function followRun(call: LocalCall, { isJson, io }: Options): Promise<number> {
  const interrupts = countInterrupts(io, call.cancel);
  const answers = call.answers[Symbol.asyncIterator]();
  const printer = createPrinter(io);
  let id = '';
  try {
    for (;;) {
      const next = await Promise.race([answers.next(), interrupts.second]);
      if (next === 'left') break;
      if (next.done === true) throw goneAway(id);
      const said = next.value;
      if (said.kind === 'accepted') id = said.execution_id;
      else if (said.kind === 'output' && !isJson) printer.piece(said.piece);
      else if (said.kind === 'result') {
        if (isJson) io.stdout.write(`${toJson(said.result)}\n`);
        else printer.end(said.result);
        if (interrupts.count() > 0) break;
        return said.result.status === 'success' ? 0 : EXIT.failed;
      }
    }
    return EXIT.interrupted;
  } finally {
    interrupts.stop();
    void answers.return?.();
  }
}

/** `second` resolves when the user has had enough of waiting. */
function countInterrupts(
  io: LocalIo,
  onFirst: () => void,
): { count: () => number; second: Promise<'left'>; stop: () => void } {
  let count = 0;
  let leave: () => void = () => undefined;
  const second = new Promise<'left'>((resolve) => {
    leave = () => resolve('left');
  });
  const stop = io.onInterrupt(() => {
    count += 1;
    if (count === 1) onFirst();
    else leave();
  });
  return { count: () => count, second, stop };
}

function goneAway(id = ''): MusterError {
  const rest = id === '' ? '' : `; the outcome of ${id} is reported when it is back`;
  return new MusterError('agent_not_found', `The agent ended before it had answered${rest}`);
}
