import { Command } from 'commander';
import { z } from 'zod';
import { NodeDetail } from '../../controller/http/schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { parseLabel } from '../../protocol/selectors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, connect, print } from '../options.js';

const HELP = `
A node that is removed is believed by nobody from then on, and what was open on it ends. Its name is free again: to let
the same device back in, delete its identity.json and enroll it with a new token.

Examples:
  $ muster node label pump-7 --set site=north --set tier=gold
  $ muster node label pump-7 --remove tier
  $ muster node group pump-7 --add pumps --remove spares
  $ muster node remove pump-7`;

const ChangeOptions = z.object({
  set: z.array(z.string()).default([]),
  add: z.array(z.string()).default([]),
  remove: z.array(z.string()).default([]),
});

/** `muster node label|group|remove`. */
export function nodeCommand(io: Io): Command {
  return new Command('node')
    .description('Change the labels and groups of a node, or remove it. To list them: muster nodes')
    .addCommand(labelCommand(io))
    .addCommand(groupCommand(io))
    .addCommand(removeCommand(io))
    .addHelpText('after', HELP);
}

function labelCommand(io: Io): Command {
  const command = new Command('label')
    .description('Change the labels of a node.')
    .argument('<node>', 'the node')
    .option('--set <key=value>', 'give it this label (repeatable)', collect)
    .option('--remove <key>', 'take this label away (repeatable)', collect);
  return addConnectionOptions(command).action((node: string, options: unknown) => {
    const { set, remove } = ChangeOptions.parse(options);
    const added = set.map(parseLabel);
    return changeNode(io, { node, options, isEmpty: set.length + remove.length === 0 }, ({ labels }) => ({
      labels: Object.fromEntries([...Object.entries(labels), ...added].filter(([key]) => !remove.includes(key))),
    }));
  });
}

function groupCommand(io: Io): Command {
  const command = new Command('group')
    .description('Change the groups of a node.')
    .argument('<node>', 'the node')
    .option('--add <group>', 'make it a member (repeatable)', collect)
    .option('--remove <group>', 'end its membership (repeatable)', collect);
  return addConnectionOptions(command).action((node: string, options: unknown) => {
    const { add, remove } = ChangeOptions.parse(options);
    return changeNode(io, { node, options, isEmpty: add.length + remove.length === 0 }, ({ groups }) => ({
      groups: [...new Set([...groups, ...add])].filter((group) => !remove.includes(group)),
    }));
  });
}

function removeCommand(io: Io): Command {
  const command = new Command('remove')
    .description('Remove a node: its key is revoked, and what is open on it ends.')
    .argument('<node>', 'the node');
  return addConnectionOptions(command).action(async (node: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: pathOf(node) });
    print(io, { isJson, value: { node, removed: true }, render: () => `Removed ${escapeText(node)}.` });
  });
}

/** Reads the node, changes what it has, and prints what it has now. @throws {MusterError} usage */
async function changeNode(
  io: Io,
  { node, options, isEmpty }: { node: string; options: unknown; isEmpty: boolean },
  change: (node: NodeDetail) => { labels?: Record<string, string>; groups?: string[] },
): Promise<void> {
  if (isEmpty) throw new MusterError('usage', 'Say what to change: see muster help node');
  const { client, isJson } = connect(options, io);
  const before = await client.call(NodeDetail, { path: pathOf(node) });
  const after = await client.call(NodeDetail, { method: 'PATCH', path: pathOf(node), body: change(before) });
  print(io, { isJson, value: after, render: () => render(after) });
}

function render({ node, groups, labels }: NodeDetail): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const fields = [node, `groups: ${groups.join(' ') || '-'}`, `labels: ${pairs.join(' ') || '-'}`];
  return fields.map(escapeText).join('\n');
}

function pathOf(node: string): string {
  return `/nodes/${encodeURIComponent(node)}`;
}
