import { Command } from 'commander';
import { z } from 'zod';
import { SandboxCreated, type SandboxStatus, SandboxView } from '../../controller/http/sandbox-schemas.js';
import { describeSelector } from '../../protocol/describe-selector.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, collectNodes, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';
import { type TargetOptions, toSelector } from '../target.js';

const HELP = `
Examples:
  $ muster sandbox create ci --group staging --action 'deploy-*' --action ping
  $ muster sandbox create assistant --all --action gather_info --expires-in 24h
  $ muster sandbox create triage --integration sentry --action 'list_*' --action get_issue
  $ muster sandbox list
  $ muster sandbox pause 019300a1-7c2e-7d51-9f0a-2b6f6d1c4e55
  $ muster sandbox delete 019300a1-7c2e-7d51-9f0a-2b6f6d1c4e55`;

const CreateOptions = z.object({
  node: z.array(z.string()).optional(),
  group: z.string().optional(),
  label: z.array(z.string()).optional(),
  all: z.boolean().optional(),
  integration: z.array(z.string()).default([]),
  action: z.array(z.string()).default(['*']),
  expiresIn: z.string().optional(),
});

const TokenOptions = CreateOptions.pick({ expiresIn: true });

/** `muster sandbox create|list|show|pause|resume|token|delete`. */
export function sandboxCommand(io: Io): Command {
  return new Command('sandbox')
    .description('Look after the sandboxes of programs: AI agents, CI jobs. They may ask, and never approve.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(statusCommand(io, 'pause', 'paused', 'Let a sandbox ask for nothing until it is resumed.'))
    .addCommand(statusCommand(io, 'resume', 'running', 'Let a sandbox that was paused ask again.'))
    .addCommand(tokenCommand(io))
    .addCommand(deleteCommand(io))
    .addHelpText('after', HELP);
}

function createCommand(io: Io): Command {
  const command = new Command('create')
    .description('Make a sandbox. Its token is printed this once; only its hash is kept.')
    .argument('<name>', 'what it is called')
    .option('--node <id>', 'node that it may ask; repeat it or separate with commas', collectNodes)
    .option('--group <id>', 'and the nodes of this group')
    .option('--label <k=v>', 'and the nodes with all of these labels; repeat it for more', collect)
    .option('--all', 'every node')
    .option('--integration <name>', 'and this integration; repeat it for more', collect)
    .option('--action <pattern>', 'action that it may ask for, * and ? stand for others; all without it', collect)
    .option('--expires-in <duration>', 'how long its token lives; 2160h, 90 days, without it');
  return addConnectionOptions(command).action(async (name: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { action: actions, expiresIn, integration, ...targets } = CreateOptions.parse(options);
    const connections = [
      ...targetsOf(targets).map((target) => ({ target: toSelector(target), actions })),
      ...integration.map((each) => ({ integration: each, actions })),
    ];
    if (connections.length === 0) {
      throw new MusterError('usage', 'Say what it is connected to: --node, --group, --label, --all or --integration');
    }
    const body = { name, connections, expires_in: expiresIn };
    const sandbox = await client.call(SandboxCreated, { method: 'POST', path: '/sandboxes', body });
    if (!isJson) io.stderr.write(`${escapeText(sandbox.name)} is ${escapeText(sandbox.id)}. Its token:\n`);
    print(io, { isJson, value: sandbox, render: () => escapeText(sandbox.token) });
  });
}

/** One for each kind of selector that is given. */
function targetsOf({ node, group, label, all }: TargetOptions): TargetOptions[] {
  const given: TargetOptions[] = [{ node }, { group }, { label }, { all }];
  return given.filter((target) => Object.values(target).some((value) => value !== undefined));
}

function listCommand(io: Io): Command {
  const command = new Command('list').description('List the sandboxes; never their tokens.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(SandboxView, { path: '/sandboxes' });
    print(io, { isJson, value: { items }, render: () => renderSandboxes(items, io) });
  });
}

function showCommand(io: Io): Command {
  const command = new Command('show').description('Show a sandbox and its connections.').argument('<id>', 'its id');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const sandbox = await client.call(SandboxView, { path: pathOf(id) });
    print(io, { isJson, value: sandbox, render: () => renderSandbox(sandbox, io) });
  });
}

function statusCommand(io: Io, name: string, status: SandboxStatus, description: string): Command {
  const command = new Command(name).description(description).argument('<id>', 'its id');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const sandbox = await client.call(SandboxView, { method: 'PATCH', path: pathOf(id), body: { status } });
    print(io, { isJson, value: sandbox, render: () => `${escapeText(sandbox.name)} is ${sandbox.status}.` });
  });
}

function tokenCommand(io: Io): Command {
  const command = new Command('token')
    .description('Replace the token of a sandbox. The one before ends at once; the new one is printed this once.')
    .argument('<id>', 'its id')
    .option('--expires-in <duration>', 'how long the token lives; 2160h, 90 days, without it');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const body = { expires_in: TokenOptions.parse(options).expiresIn };
    const sandbox = await client.call(SandboxCreated, { method: 'POST', path: `${pathOf(id)}/token`, body });
    print(io, { isJson, value: sandbox, render: () => escapeText(sandbox.token) });
  });
}

function deleteCommand(io: Io): Command {
  const command = new Command('delete')
    .description('Delete a sandbox with its token. It ends at once; what it asked for stays in the records.')
    .argument('<id>', 'its id');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: pathOf(id) });
    print(io, { isJson, value: { id, deleted: true }, render: () => `Deleted ${escapeText(id)}.` });
  });
}

function pathOf(id: string): string {
  return `/sandboxes/${encodeURIComponent(id)}`;
}

function renderSandboxes(sandboxes: readonly SandboxView[], io: Io): string {
  if (sandboxes.length === 0) return 'There is no sandbox.';
  const rows = sandboxes.map(({ id, name, status, expires_at, created_by }) => [
    ...[id, name, status, expires_at ?? 'never', created_by],
  ]);
  return renderTable(['ID', 'NAME', 'STATUS', 'TOKEN EXPIRES', 'BY'], rows, io);
}

function describe(connection: SandboxView['connections'][number]): string {
  if ('target' in connection) return describeSelector(connection.target);
  return `integration ${connection.integration ?? `${connection.integration_id} (removed)`}`;
}

function renderSandbox({ id, name, status, expires_at, connections }: SandboxView, io: Io): string {
  const rows = connections.map((connection) => [describe(connection), connection.actions.join(' ')]);
  const head = `${escapeText(name)} (${id}) is ${status}; its token expires ${expires_at ?? 'never'}.`;
  return `${head}\n${renderTable(['MAY ASK', 'FOR'], rows, io)}`;
}
