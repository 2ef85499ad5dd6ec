import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { IntegrationTest, IntegrationView } from '../../controller/http/integration-schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
The credential is asked for, or read from the standard input, or from a file; it is sealed and never shown again.

Examples:
  $ muster integration add sentry
  $ muster integration add linear --name tickets --secret-file ./linear.key
  $ muster integration add sentry --provider nango --connection-id acme --config-key sentry-oauth
  $ muster integration add github --provider github_app --app-id 4711 --installation-id 42 --secret-file ./app.pem
  $ muster integration test sentry
  $ muster run list_issues --integration sentry organization=acme project=pump-ui`;

const AddOptions = z.object({
  name: z.string().optional(),
  baseUrl: z.string().optional(),
  provider: z.enum(['stored', 'nango', 'github_app']).default('stored'),
  secretFile: z.string().optional(),
  connectionId: z.string().optional(),
  configKey: z.string().optional(),
  appId: z.string().optional(),
  installationId: z.string().optional(),
  providerUrl: z.string().optional(),
});
type AddOptions = z.infer<typeof AddOptions>;

const Answer = z.object({ integration: IntegrationView });

/** `muster integration list|add|test|enable|disable|remove`. */
export function integrationCommand(io: Io): Command {
  return new Command('integration')
    .description('Look after the other systems that actions reach, with credentials that no caller sees.')
    .addCommand(listCommand(io))
    .addCommand(addCommand(io))
    .addCommand(testCommand(io))
    .addCommand(switchCommand(io, { name: 'enable', status: 'active', about: 'Offer an integration again.' }))
    .addCommand(switchCommand(io, { name: 'disable', status: 'disabled', about: 'Offer an integration to nobody.' }))
    .addCommand(removeCommand(io))
    .addHelpText('after', HELP);
}

function listCommand(io: Io): Command {
  const command = new Command('list').description('List the integrations and their actions.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(IntegrationView, { path: '/integrations' });
    print(io, { isJson, value: { items }, render: () => renderList(items, io) });
  });
}

function addCommand(io: Io): Command {
  const command = new Command('add')
    .description('Add an integration. The credential comes from the terminal, the standard input or a file.')
    .argument('<adapter>', 'what it speaks: sentry, linear, or one of controller.integrations_file')
    .option('--name <name>', 'how asks name it; the name of the adapter when absent')
    .option('--base-url <url>', 'where the system answers; its own address when absent')
    .addOption(
      new Option('--provider <provider>', 'where its tokens come from').choices(['stored', 'nango', 'github_app']),
    )
    .option('--secret-file <file>', 'file with the credential: a token, the secret key of Nango, or a key as PEM')
    .option('--connection-id <id>', 'of Nango')
    .option('--config-key <key>', 'of Nango: the provider_config_key')
    .option('--app-id <id>', 'of the GitHub App')
    .option('--installation-id <id>', 'of the GitHub App')
    .option('--provider-url <url>', 'where Nango or GitHub answers');
  return addConnectionOptions(command).action(async (adapter: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const asked = AddOptions.parse(options);
    const credential = toCredential(asked, await readCredential(asked, io));
    const body = { adapter, name: asked.name, base_url: asked.baseUrl, credential };
    const { integration } = await client.call(Answer, { method: 'POST', path: '/integrations', body });
    print(io, { isJson, value: integration, render: () => `Added ${escapeText(integration.name)}.` });
  });
}

/** What is missing the controller names. */
function toCredential(options: AddOptions, secret: string): Readonly<Record<string, string | undefined>> {
  const { provider, providerUrl: base_url } = options;
  switch (provider) {
    case 'stored':
      return { provider, token: secret };
    case 'nango':
      return {
        ...{ provider, base_url, secret_key: secret },
        ...{ connection_id: options.connectionId, provider_config_key: options.configKey },
      };
    case 'github_app':
      return {
        ...{ provider, base_url, private_key: secret },
        ...{ app_id: options.appId, installation_id: options.installationId },
      };
  }
}

/** @throws {MusterError} usage */
async function readCredential({ secretFile, provider }: AddOptions, { readSecret }: Io): Promise<string> {
  if (secretFile === undefined) {
    if (provider === 'github_app') throw new MusterError('usage', 'Name the file of the key with --secret-file');
    const secret = await readSecret('Credential: ');
    if (secret !== '') return secret;
    throw new MusterError('usage', 'No credential came: type it, pass it on the standard input, or use --secret-file');
  }
  try {
    return readFileSync(secretFile, 'utf8').trim();
  } catch (cause) {
    const why = errnoOf(cause) ?? 'no text';
    throw new MusterError('usage', `The file ${escapeText(secretFile)} cannot be read (${why})`, { cause });
  }
}

function testCommand(io: Io): Command {
  const command = new Command('test')
    .description('Get a token and ask the system for something that changes nothing. Exit code 1 when that fails.')
    .argument('<name>', 'the integration');
  return addConnectionOptions(command).action(async (name: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const call = { method: 'POST', path: `${pathOf(name)}/test`, body: {}, waitSeconds: MAX_TEST_SECONDS } as const;
    const outcome = await client.call(IntegrationTest, call);
    print(io, { isJson, value: outcome, render: () => escapeText(`${outcome.detail} (${outcome.duration_ms} ms)`) });
    if (!outcome.ok) io.exitWith(EXIT.failed);
  });
}

/** What controller.integration_timeout may be at most. */
const MAX_TEST_SECONDS = 300;

function switchCommand(io: Io, { name, status, about }: { name: string; status: string; about: string }): Command {
  const command = new Command(name).description(about).argument('<name>', 'the integration');
  return addConnectionOptions(command).action(async (which: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const call = { method: 'PATCH', path: pathOf(which), body: { status } } as const;
    const { integration } = await client.call(Answer, call);
    print(io, {
      isJson,
      value: integration,
      render: () => `${escapeText(integration.name)} is ${integration.status}.`,
    });
  });
}

function removeCommand(io: Io): Command {
  const command = new Command('remove')
    .description('Remove an integration with its credential. What was asked of it stays on record.')
    .argument('<name>', 'the integration');
  return addConnectionOptions(command).action(async (name: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: pathOf(name) });
    print(io, { isJson, value: { name, removed: true }, render: () => `Removed ${escapeText(name)}.` });
  });
}

function pathOf(name: string): string {
  return `/integrations/${encodeURIComponent(name)}`;
}

function renderList(integrations: readonly IntegrationView[], io: Io): string {
  if (integrations.length === 0) return 'There is no integration.';
  const head = ['NAME', 'ADAPTER', 'STATUS', 'PROVIDER', 'ADDRESS', 'ACTIONS'];
  const rows = integrations.map(({ name, adapter, status, provider, base_url, actions }) => [
    ...[name, adapter, status, provider, base_url],
    actions.map((each) => `${each.name}:${each.risk}`).join(' ') || '-',
  ]);
  return renderTable(head, rows, io);
}
