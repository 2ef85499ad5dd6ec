import { type Command, Option } from 'commander';
import { z } from 'zod';
import { toJson } from '../runtime/terminal-text.js';
import { type Client, createClient } from './client.js';
import { findConnection } from './installation.js';
import { type Io, printLine } from './io.js';

/** What every command that talks to a controller understands. */
const ConnectionOptions = z.object({
  data: z.string().optional(),
  url: z.string().optional(),
  token: z.string().optional(),
  json: z.boolean().default(false),
});

/** Adds `--json` and the options that say which controller is meant. */
export function addConnectionOptions(command: Command): Command {
  return command
    .option('--json', 'print JSON')
    .option('--data <dir>', 'directory of the installation (MUSTER_DATA; else ./.muster)')
    .option('--url <url>', 'address of the controller (MUSTER_URL)')
    .addOption(new Option('--token <token>', 'API token (better: MUSTER_TOKEN, which ps does not show)'));
}

/** The controller that the options of a command name, and whether JSON is wanted. */
export function connect(options: unknown, io: Io): { client: Client; isJson: boolean } {
  const { json, ...flags } = ConnectionOptions.parse(options);
  return { client: createClient(findConnection(flags, io.env)), isJson: json };
}

/** Prints what a command found: as JSON when it is wanted, else as the text that `render` makes. */
export function print(
  io: Io,
  { isJson, value, render }: { isJson: boolean; value: unknown; render: () => string },
): void {
  printLine(io, isJson ? toJson(value) : render().trimEnd());
}

/** Gathers an option that may be repeated. It takes one value at a time, so that it never swallows the words after it. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The same for node ids, which may also be separated by commas. */
export function collectNodes(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(',')];
}
