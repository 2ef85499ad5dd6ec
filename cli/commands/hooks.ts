import { Command } from 'commander';
import { z } from 'zod';
import { HookView } from '../../controller/http/schemas.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { type Cell, renderTable } from '../render/table.js';
import { acceptHookCommand } from './accept-hook.js';

const HELP = `
Examples:
  $ muster hooks                   every hook of every node
  $ muster hooks pump-7            the hooks of one node
  $ muster hooks --changed         those that are refused until somebody accepts them
  $ muster hooks accept deploy.sh --node pump-7 --checksum "$(sha256sum < deploy.sh | cut -d' ' -f1)"

The controller pins the checksum with which it sees a hook first. One that has changed is refused with
hook_changed, so look at the file on the node before you accept it.`;

const ListOptions = z.object({ name: z.string().optional(), changed: z.boolean().default(false) });

/** `muster hooks [NODE]`: which version of which hook is where, and which may be asked for; and `muster hooks accept`. */
export function hooksCommand(io: Io): Command {
  const command = new Command('hooks')
    .description('List the hooks of the nodes with their checksums, or accept one that has changed.')
    .argument('[node]', 'only the hooks of this node')
    .option('--name <hook>', 'only hooks of this name')
    .option('--changed', 'only hooks whose checksum is not the pinned one')
    .addCommand(acceptHookCommand(io))
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (node: string | undefined, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { name, changed } = ListOptions.parse(options);
    const query = { node, name, changed: changed ? 'true' : undefined };
    const items = await client.list(HookView, { path: '/hooks', query });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(hooks: readonly HookView[], io: Io): string {
  if (hooks.length === 0) return 'No node offers such a hook.';
  const head = ['NODE', 'HOOK', 'STATE', 'CHECKSUM', 'PINNED', 'SANDBOX', 'FAULT'];
  const rows = hooks.map((hook): Cell[] => [
    hook.node,
    hook.name,
    hook.changed ? { text: 'changed', tone: 'bad' } : { text: 'pinned', tone: 'good' },
    hook.checksum,
    hook.changed ? (hook.pinned_checksum ?? 'none') : 'the same',
    describeSandbox(hook),
    hook.fault ?? '-',
  ]);
  return renderTable(head, rows, io);
}

function describeSandbox({ sandbox, network, writable }: HookView): string {
  return [sandbox, ...(network ? ['network'] : []), ...writable].join(' ');
}
