import { Command } from 'commander';
import { z } from 'zod';
import { NodeTokenCreated, NodeTokenView } from '../../controller/http/polling-schemas.js';
import { parseLabel } from '../../protocol/selectors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster node-token create kiosk-7 --group kiosks --label site=north
  $ muster node-token list
  $ muster node-token delete 4k2m9x7qpa`;

const CreateOptions = z.object({ group: z.array(z.string()).default([]), label: z.array(z.string()).default([]) });

/** `muster node-token create|list|delete`. */
export function nodeTokenCommand(io: Io): Command {
  return new Command('node-token')
    .description('Make, list and delete tokens of nodes that run no agent: they fetch their work over HTTP and report.')
    .addCommand(createTokenCommand(io))
    .addCommand(listTokensCommand(io))
    .addCommand(deleteTokenCommand(io))
    .addHelpText('after', HELP);
}

function createTokenCommand(io: Io): Command {
  const command = new Command('create')
    .description(
      'Make a token. The first one of a name makes the node. It is printed this once; only its hash is kept.',
    )
    .argument('<node>', 'id of the node')
    .option('--group <id>', 'group that a new node joins; repeat it for more', collect)
    .option('--label <k=v>', 'label that a new node carries; repeat it for more', collect);
  return addConnectionOptions(command).action(async (node: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { group, label } = CreateOptions.parse(options);
    const token = await client.call(NodeTokenCreated, {
      method: 'POST',
      path: '/node-tokens',
      body: { node, groups: group, labels: Object.fromEntries(label.map(parseLabel)) },
    });
    print(io, { isJson, value: token, render: () => escapeText(token.token) });
  });
}

function listTokensCommand(io: Io): Command {
  const command = new Command('list').description('List the tokens, newest first; never the tokens themselves.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(NodeTokenView, { path: '/node-tokens' });
    print(io, { isJson, value: { items }, render: () => renderTokens(items, io) });
  });
}

function deleteTokenCommand(io: Io): Command {
  const command = new Command('delete')
    .description('Delete a token; it ends at once. The node stays, and its other tokens too.')
    .argument('<id>', 'id of the token, as list prints it');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: `/node-tokens/${encodeURIComponent(id)}` });
    print(io, { isJson, value: { id, deleted: true }, render: () => `Deleted ${escapeText(id)}.` });
  });
}

function renderTokens(tokens: readonly NodeTokenView[], io: Io): string {
  if (tokens.length === 0) return 'There is no token of a node.';
  const rows = tokens.map(({ id, node, created_at, created_by }) => [id, node, created_at, created_by]);
  return renderTable(['ID', 'NODE', 'MADE', 'BY'], rows, io);
}
