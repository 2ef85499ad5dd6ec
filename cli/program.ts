import { Command, CommanderError } from 'commander';
import { EXIT } from '../runtime/exit-codes.js';
import { reportFailure } from '../runtime/lifecycle.js';
import { VERSION } from '../runtime/version.js';
import { COMMANDS, type CommandEntry } from './commands/list.js';
import type { Io } from './io.js';

const EXAMPLES = `
Examples:
  $ muster nodes
  $ muster run gather_info --all
  $ muster run ping target=10.0.0.1 --group pumps --timeout 10s

The controller is found through --data, MUSTER_DATA or ./.muster, or through --url and --token
(MUSTER_URL and MUSTER_TOKEN), or as muster login has kept it.

Exit codes: 0 done, 1 the action did not succeed, 2 usage, 69 unavailable, 77 not allowed,
78 configuration, 130 left by Ctrl-C.`;

/** Runs one command line, without the program's own name; a failure is told on stderr. Gives the exit code. */
export async function runCommandLine(args: readonly string[], io: Omit<Io, 'exitWith'>): Promise<number> {
  let exitCode = 0;
  const exitWith = (code: number): void => {
    exitCode = code;
  };
  try {
    const program = await createProgram(args, { ...io, exitWith });
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    return reportFailure(error);
  }
}

/** The program with the command that `args` ask for in full; of the others only what the help shows. */
export async function createProgram(args: readonly string[], io: Io): Promise<Command> {
  const program = new Command('muster')
    .description('Remote actions on fleets of edge devices over MQTT.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(see: muster help)')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => helpWidth(io.stdout.columns),
      getErrHelpWidth: () => helpWidth(io.stderr.columns),
    })
    .exitOverride();
  const name = args[0] === 'help' ? args[1] : args[0];
  for (const entry of COMMANDS) program.addCommand(await commandOf(entry, entry.name === name ? io : undefined));
  for (const command of program.commands) inherit(command, program);
  return program;
}

async function commandOf(entry: CommandEntry, io: Io | undefined): Promise<Command> {
  const command = io === undefined ? new Command() : (await entry.load())(io);
  return command.name(entry.name).summary(entry.summary);
}

/** Commands that are added do not take over how their parent ends and prints by themselves. */
function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

function helpWidth(columns: number | undefined): number {
  return Math.min(columns ?? 100, 100);
}
