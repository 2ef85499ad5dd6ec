import { Command } from 'commander';
import { z } from 'zod';
import { EventsQuery, type StreamMessage } from '../../controller/http/event-schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText, toJsonLine } from '../../runtime/terminal-text.js';
import { followEvents } from '../events.js';
import { type Io, printLine } from '../io.js';
import { addConnectionOptions, connect } from '../options.js';
import { untilInterrupted } from '../until-interrupted.js';

const HELP = `
It shows what the controller has stored: asks, approvals, executions, output, nodes, logins. Each line begins with its
id; --after goes on behind one. It goes on until Ctrl-C, also when the controller is away for a while. What the nodes
print stands in muster show.

Examples:
  $ muster events
  $ muster events --types invocation,action_completed --after 1042
  $ muster events --node pump-7 --json | jq -r 'select(.type == "node") | .change'`;

const EventsOptions = z.object({
  types: z.string().optional(),
  invocation: z.string().optional(),
  node: z.string().optional(),
  after: z.string().optional(),
});

/** `muster events`: what happens, as it happens. */
export function eventsCommand(io: Io): Command {
  const command = new Command('events')
    .description('Show what happens, as it happens.')
    .option('--types <types>', 'only these, separated by commas')
    .option('--invocation <id>', 'only what is about this invocation')
    .option('--node <id>', 'only what is about this node')
    .option('--after <id>', 'begin behind this event instead of now')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const asked = EventsOptions.parse(options);
    const checked = EventsQuery.safeParse(asked);
    if (!checked.success) throw new MusterError('usage', usageOf(checked.error));
    const { client, isJson } = connect(options, io);
    await untilInterrupted(io, (signal) =>
      followEvents(client, {
        filter: { ...asked, after: checked.data.after },
        signal,
        onMessage: (message) => show(io, { message, isJson }),
      }),
    );
  });
}

function usageOf({ issues: [first] }: z.ZodError): string {
  return `--${String(first?.path[0])}: ${first?.message}`;
}

function show(io: Io, { message, isJson }: { message: StreamMessage; isJson: boolean }): void {
  if (message.type === 'ready' || message.type === 'heartbeat') return;
  if (message.type === 'reset') io.stderr.write('What came before is no longer held: look at the lists anew.\n');
  else if (message.type === 'end') io.stderr.write('The controller has ended the stream; connecting again.\n');
  else printLine(io, isJson ? toJsonLine(message) : lineOf(message));
}

/** `1042 2026-01-01T00:00:00.000Z execution node=pump-7 status=success …`; what is empty or false is left out. */
function lineOf({ id, at, type, ...fields }: StreamMessage): string {
  const said = Object.entries(fields).flatMap(([name, value]) => {
    if (value === null || value === false || value === undefined) return [];
    return [`${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`];
  });
  return escapeText([id, at, type, ...said].join(' '));
}
