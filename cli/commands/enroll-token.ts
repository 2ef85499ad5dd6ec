import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { EnrollmentTokenCreated, EnrollmentTokenView } from '../../controller/http/schemas.js';
import { parseLabel } from '../../protocol/selectors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster enroll-token create
  $ muster enroll-token create --uses 50 --expires-in 24h --group pumps --label site=north
  $ muster agent --enroll-url http://127.0.0.1:8080 --enroll-token "$(muster enroll-token create)"
  $ muster enroll-token list
  $ muster enroll-token delete 4k2m9x7qpa`;

const CreateOptions = z.object({
  uses: z.int(),
  expiresIn: z.string(),
  group: z.array(z.string()).default([]),
  label: z.array(z.string()).default([]),
  nodeIdPattern: z.string().optional(),
});

/** `muster enroll-token create|list|delete`. */
export function enrollTokenCommand(io: Io): Command {
  return new Command('enroll-token')
    .description('Make, list and delete enrollment tokens. A token lets nodes in until it is used up or expired.')
    .addCommand(createTokenCommand(io))
    .addCommand(listTokensCommand(io))
    .addCommand(deleteTokenCommand(io))
    .addHelpText('after', HELP);
}

function createTokenCommand(io: Io): Command {
  const command = new Command('create')
    .description('Make a token. It is printed this once; only its hash is kept.')
    .option('--uses <n>', 'how many nodes it lets in', parseUses, 1)
    .option('--expires-in <duration>', 'how long it lives', '1h')
    .option('--group <id>', 'group that its nodes join; repeat it for more', collect)
    .option('--label <k=v>', 'label that its nodes carry; repeat it for more', collect)
    .option('--node-id-pattern <glob>', 'node ids that it allows, such as pump-*');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { uses, expiresIn, group, label, nodeIdPattern } = CreateOptions.parse(options);
    const token = await client.call(EnrollmentTokenCreated, {
      method: 'POST',
      path: '/enrollment-tokens',
      body: {
        uses,
        expires_in: expiresIn,
        groups: group,
        labels: Object.fromEntries(label.map(parseLabel)),
        node_id_pattern: nodeIdPattern,
      },
    });
    print(io, { isJson, value: token, render: () => escapeText(token.token) });
    if (io.stderr.isTTY === true) {
      io.stderr.write(`On the node: muster agent --enroll-url ${client.url} --enroll-token TOKEN\n`);
    }
  });
}

function listTokensCommand(io: Io): Command {
  const command = new Command('list').description('List the tokens, newest first; never the tokens themselves.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(EnrollmentTokenView, { path: '/enrollment-tokens' });
    print(io, { isJson, value: { items }, render: () => renderTokens(items, io) });
  });
}

function deleteTokenCommand(io: Io): Command {
  const command = new Command('delete')
    .description('Delete a token, so that it lets nobody in any more. Nodes that it let in stay.')
    .argument('<id>', 'id of the token, as list prints it');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: `/enrollment-tokens/${encodeURIComponent(id)}` });
    print(io, { isJson, value: { id, deleted: true }, render: () => `Deleted ${escapeText(id)}.` });
  });
}

function renderTokens(tokens: readonly EnrollmentTokenView[], io: Io): string {
  if (tokens.length === 0) return 'There is no enrollment token.';
  const head = ['ID', 'USES LEFT', 'EXPIRES', 'GROUPS', 'LABELS', 'NODE IDS', 'BY'];
  const rows = tokens.map((token) => [
    token.id,
    String(token.uses_left),
    token.expires_at,
    token.groups.join(' ') || '-',
    Object.entries(token.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(' ') || '-',
    token.node_id_pattern ?? 'any',
    token.created_by,
  ]);
  return renderTable(head, rows, io);
}

function parseUses(text: string): number {
  const uses = z.coerce.number().int().min(1).max(100_000).safeParse(text);
  if (!uses.success) throw new InvalidArgumentError('It must be a whole number from 1 to 100000.');
  return uses.data;
}
