import { Command } from 'commander';
import { GrantView } from '../../controller/http/grant-schemas.js';
import { describeSelector } from '../../protocol/selectors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
muster approve ID --grant makes one.

Examples:
  $ muster grant list
  $ muster grant revoke 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d`;

/** `muster grant list|revoke`. */
export function grantCommand(io: Io): Command {
  return new Command('grant')
    .description('Look after grants: approvals that are given beforehand, for asks that are still to come.')
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
    .addHelpText('after', HELP);
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
