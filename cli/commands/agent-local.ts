import { Command } from 'commander';
import { z } from 'zod';
import { type LocalCommand, runLocalCommand } from '../../agent/local/commands.js';
import { askedSockets } from '../../agent/local/place.js';
import { readParameters } from '../../runtime/parameters.js';
import type { Io } from '../io.js';

const STATUS_HELP = `
Needs neither network nor controller. Root, the user of the agent and those in agent.local_users may ask.

Examples:
  $ muster agent status
  $ muster agent status --json | jq .journal.unreceipted`;

const ACTIONS_HELP = `
Parameters are shown as name:type; one with ? may be left out.

Examples:
  $ muster agent actions
  $ muster agent actions --data ./second`;

const RUN_HELP = `
Runs like any other execution: it is journaled before it starts and reported to the controller, now or when there is a
network again. What the action prints goes to stdout and stderr, how it ended to stderr.

Examples:
  $ muster agent run gather_info
  $ muster agent run ping target=10.0.0.1 --timeout 10s --reason "ticket 4711"
  $ muster agent run backup --stream

Ctrl-C ends the action and waits for its end; once more leaves at once. A lost terminal does not end it.
Exit code 0 when it succeeded, 1 when not, 130 after Ctrl-C.`;

const LocalOptions = z.object({
  json: z.boolean().default(false),
  socket: z.string().optional(),
  data: z.string().optional(),
});

const RunOptions = z.object({
  timeout: z.string().optional(),
  reason: z.string().optional(),
  stream: z.boolean().default(false),
});

/** `muster agent status`, `actions` and `run`: what a person on the node asks its agent. */
export function localCommands(io: Io): Command[] {
  return [
    addLocalOptions(new Command('status'))
      .description('Show how the agent of this node is.')
      .addHelpText('after', STATUS_HELP)
      .action((_: unknown, command: Command) => ask({ kind: 'status' }, command, io)),
    addLocalOptions(new Command('actions'))
      .description('List what the agent of this node can do.')
      .addHelpText('after', ACTIONS_HELP)
      .action((_: unknown, command: Command) => ask({ kind: 'actions' }, command, io)),
    addLocalOptions(new Command('run'))
      .description('Run an action on this node, without a controller.')
      .argument('<action>', 'name of the action')
      .argument('[name=value...]', 'its parameters')
      .option('--timeout <duration>', 'how long it may run')
      .option('--stream', 'show what it prints while it runs')
      .option('--reason <text>', 'why, for the record')
      .addHelpText('after', RUN_HELP)
      .action((action: string, words: string[], options: unknown, command: Command) => {
        const parameters = Object.fromEntries(readParameters(words));
        return ask({ kind: 'run', action, parameters, ...RunOptions.parse(options) }, command, io);
      }),
  ];
}

function addLocalOptions(command: Command): Command {
  return command
    .option('--json', 'print JSON')
    .option('--socket <path>', 'socket of the agent (MUSTER_AGENT_LOCAL_SOCKET)')
    .option('--data <dir>', 'directory of the installation (MUSTER_DATA)');
}

/** Options may stand before the word, too: `muster agent --data DIR status`. */
async function ask(what: LocalCommand, command: Command, io: Io): Promise<void> {
  const { json, ...where } = LocalOptions.parse(command.optsWithGlobals());
  io.exitWith(await runLocalCommand(what, { sockets: askedSockets(where, io.env), isJson: json, io }));
}
