import { join } from 'node:path';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { ControllerConfig } from '../../controller/config.js';
import { ApiTokenCreated, ApiTokenView, Role } from '../../controller/http/people-schemas.js';
import { loadConfig } from '../../runtime/config.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { dataDirOf } from '../installation.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster token create --name backup-script --role viewer --expires-in 720h
  $ muster token create --name ci --user deployer
  $ muster token list
  $ muster token delete 1f6c0a52e9d47b38
  $ muster token recover --data /var/lib/muster`;

const RecoverOptions = z.object({ data: z.string().optional(), org: z.string(), url: z.string() });

const CreateOptions = z.object({
  name: z.string(),
  user: z.string().optional(),
  role: Role.optional(),
  expiresIn: z.string().optional(),
});

/** `muster token list|create|delete|recover`. */
export function tokenCommand(io: Io): Command {
  return new Command('token')
    .description('Make, list and delete the API tokens of people and programs.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(deleteCommand(io))
    .addCommand(recoverCommand(io))
    .addHelpText('after', HELP);
}

function createCommand(io: Io): Command {
  const command = new Command('create')
    .description('Make a token. It is printed this once; only its hash is kept.')
    .requiredOption('--name <text>', 'what it is for')
    .option('--user <name>', 'for whom; yourself without it')
    .addOption(new Option('--role <role>', "at most the user's, which it is without it").choices(Role.options))
    .option('--expires-in <duration>', 'how long it lives; 2160h, 90 days, without it');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { name, user, role, expiresIn } = CreateOptions.parse(options);
    const body = { name, user, role, expires_in: expiresIn };
    const token = await client.call(ApiTokenCreated, { method: 'POST', path: '/tokens', body });
    print(io, { isJson, value: token, render: () => escapeText(token.token) });
  });
}

function listCommand(io: Io): Command {
  const command = new Command('list').description('List the tokens, newest first; never the tokens themselves.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(ApiTokenView, { path: '/tokens' });
    print(io, { isJson, value: { items }, render: () => renderTokens(items, io) });
  });
}

function deleteCommand(io: Io): Command {
  const command = new Command('delete')
    .description('Delete a token. It ends at once.')
    .argument('<id>', 'id of the token, as list prints it');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` });
    print(io, { isJson, value: { id, deleted: true }, render: () => `Deleted ${escapeText(id)}.` });
  });
}

/** Whoever may write the store may do everything anyway: it needs no token, but the controller must not run. */
function recoverCommand(io: Io): Command {
  return new Command('recover')
    .description(
      "Make a new owner's token on the controller's machine, when the last one is lost. Stop the controller first.",
    )
    .option('--data <dir>', 'directory of the installation (MUSTER_DATA; else ./.muster)')
    .option('--org <id>', 'the org', 'default')
    .option('--url <url>', 'address of the controller', 'http://127.0.0.1:8080')
    .action(async (options: unknown) => {
      const { data, org, url } = RecoverOptions.parse(options);
      const installation = dataDirOf(data, io.env);
      const { recoverOwner } = await import('../recover-owner.js'); // it brings the database along
      const { store_url: storeUrl } = loadConfig({ controller: ControllerConfig }, { env: io.env }).controller;
      await recoverOwner(installation, { org, url, storeUrl });
      io.stderr.write(`The new token is in ${join(installation, 'cli.json')}. Start the controller again.\n`);
    });
}

function renderTokens(tokens: readonly ApiTokenView[], io: Io): string {
  if (tokens.length === 0) return 'There is no token.';
  const head = ['ID', 'USER', 'ROLE', 'NAME', 'EXPIRES', 'BY'];
  const rows = tokens.map(({ id, user, role, name, expires_at, created_by }) => [
    ...[id, user, role, name, expires_at ?? 'never', created_by],
  ]);
  return renderTable(head, rows, io);
}
