import { parseArgs } from 'node:util';
import { MusterError } from '../../protocol/errors.js';
import { readParameters } from '../../runtime/parameters.js';
import { type LocalCommand, type LocalIo, runLocalCommand } from './commands.js';
import { askedSockets } from './place.js';

type Env = Readonly<Record<string, string | undefined>>;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  socket: { type: 'string' },
  data: { type: 'string' },
  timeout: { type: 'string' },
  reason: { type: 'string' },
  stream: { type: 'boolean', default: false },
} as const;

/**
 * `status`, `actions` or `run ACTION [name=value…]` with their options, for the agent that is one file; gives the exit
 * code.
 * @throws {MusterError} usage and what runLocalCommand throws
 */
export function runCommandLine(args: readonly string[], { env, io }: { env: Env; io: LocalIo }): Promise<number> {
  const { values, positionals } = parse(args);
  const { json, socket, data, ...rest } = values;
  return runLocalCommand(toCommand(positionals, rest), {
    sockets: askedSockets({ socket, data }, env),
    isJson: json,
    io,
  });
}

function toCommand(
  [kind, action, ...words]: readonly string[],
  options: Readonly<{ timeout?: string | undefined; reason?: string | undefined; stream: boolean }>,
): LocalCommand {
  const { timeout, reason, stream } = options;
  if (kind === 'run') {
    if (action === undefined) throw new MusterError('usage', 'Say which action: run ACTION [name=value…]');
    return { kind, action, parameters: Object.fromEntries(readParameters(words)), timeout, reason, stream };
  }
  if ((kind === 'status' || kind === 'actions') && action === undefined) {
    if (timeout !== undefined || reason !== undefined || stream) {
      throw new MusterError('usage', `--timeout, --reason and --stream go with run, not with ${kind}`);
    }
    return { kind };
  }
  throw new MusterError('usage', 'Say status, actions, or run ACTION [name=value…]');
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: true });
  } catch (cause) {
    throw new MusterError('usage', cause instanceof Error ? cause.message : 'the command line is wrong', { cause });
  }
}
