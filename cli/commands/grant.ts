import { Command } from 'commander';
import { z } from 'zod';
import { GrantView } from '../../controller/http/grant-schemas.js';
import { describeSelector } from '../../protocol/describe-selector.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { parseBudget } from '../budget.js';
import type { Io } from '../io.js';
import { addConnectionOptions, collect, collectNodes, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';
import { type TargetOptions, toSelector } from '../target.js';

const HELP = `
muster approve ID --grant makes one, too.

Examples:
  $ muster grant create --sandbox 019300a1-7c2e-7d51-9f0a-2b6f6d1c4e55 --group staging --action 'deploy-*' --max-calls 20 --for 2h
  $ muster grant create --org-wide --integration sentry --action update_issue
  $ muster grant list
  $ muster grant revoke 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d`;

const CreateOptions = z.object({
  sandbox: z.string().optional(),
  orgWide: z.boolean().default(false),
  node: z.array(z.string()).optional(),
  group: z.string().optional(),
  label: z.array(z.string()).optional(),
  all: z.boolean().optional(),
  integration: z.string().optional(),
  action: z.array(z.string()).default([]),
  maxCalls: z.int().optional(),
  for: z.string().optional(),
});

/** `muster grant create|list|revoke`. */
export function grantCommand(io: Io): Command {
  return new Command('grant')
    .description('Look after grants: approvals that are given beforehand, for asks that are still to come.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
    .addHelpText('after', HELP);
}

function createCommand(io: Io): Command {
  const command = new Command('create')
    .description('Approve asks that are still to come: writes that would wait for a person.')
    .option('--sandbox <id>', 'the sandbox whose asks it is for')
    .option('--org-wide', 'whoever asks, instead of one sandbox')
    .option('--node <id>', 'node that they may be for; repeat it or separate with commas', collectNodes)
    .option('--group <id>', 'the nodes of this group')
    .option('--label <k=v>', 'the nodes with all of these labels; repeat it for more', collect)
    .option('--all', 'every node')
    .option('--integration <name>', 'this integration instead of nodes; * is every one')
    .option('--action <pattern>', 'action, * and ? stand for others; repeat it for more', collect)
    .option('--max-calls <n>', 'so many asks; as many as come without it', parseBudget)
    .option('--for <duration>', 'how long; 8h without it');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const body = bodyOf(CreateOptions.parse(options));
    const grant = await client.call(GrantView, { method: 'POST', path: '/grants', body });
    print(io, { isJson, value: grant, render: () => `Granted ${escapeText(grant.id)} until ${grant.expires_at}.` });
  });
}

/** @throws {MusterError} usage */
function bodyOf(options: z.infer<typeof CreateOptions>) {
  const { sandbox, orgWide, integration, action: actions, maxCalls: max_calls, for: expires_in, ...target } = options;
  if ((sandbox === undefined) !== orgWide) {
    throw new MusterError('usage', 'Say whose asks it is for: --sandbox ID, or --org-wide for whoever asks');
  }
  if (actions.length === 0) throw new MusterError('usage', 'Say what it approves: --action NAME');
  return {
    ...{ scope: orgWide ? 'org' : 'session', sandbox, actions, max_calls, expires_in },
    target: integration === undefined ? toSelector(target) : integrationOf(integration, target),
  };
}

/** @throws {MusterError} usage */
function integrationOf(integration: string, nodes: TargetOptions): Readonly<{ integration: string }> {
  if (Object.values(nodes).every((value) => value === undefined)) return { integration };
  throw new MusterError('usage', 'It is for nodes or for an integration: make two grants for both');
}

function listCommand(io: Io): Command {
  const command = new Command('list').description('List the grants, newest first, with those that have ended.');
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(GrantView, { path: '/grants' });
    print(io, { isJson, value: { items }, render: () => renderGrants(items, io) });
  });
}

function revokeCommand(io: Io): Command {
  const command = new Command('revoke')
    .description('Revoke a grant. It approves nothing more; what it has approved goes on.')
    .argument('<id>', 'its id, as list prints it');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const grant = await client.call(GrantView, { method: 'DELETE', path: `/grants/${encodeURIComponent(id)}` });
    print(io, { isJson, value: grant, render: () => `${escapeText(grant.id)} is ${grant.state}.` });
  });
}

function renderGrants(grants: readonly GrantView[], io: Io): string {
  if (grants.length === 0) return 'There is no grant.';
  const rows = grants.map(({ id, state, sandbox, actions, target, used, max_calls, expires_at, created_by }) => [
    ...[id, state, sandbox ?? 'everybody', actions.join(' '), describe(target)],
    ...[`${used}/${max_calls ?? 'all'}`, expires_at, created_by],
  ]);
  return renderTable(['ID', 'STATE', 'FOR', 'ACTIONS', 'ON', 'USED', 'UNTIL', 'BY'], rows, io);
}

function describe(target: GrantView['target']): string {
  if (!('integration' in target)) return describeSelector(target);
  if (target.integration === '*') return 'every integration';
  return target.integration === null ? 'an integration (removed)' : `integration ${target.integration}`;
}
