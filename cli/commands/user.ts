import { Command, Option } from 'commander';
import { z } from 'zod';
import { Role, UserView } from '../../controller/http/people-schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { readNewPassword } from '../password.js';
import { renderTable } from '../render/table.js';

const HELP = `
Roles: viewer reads, operator asks for actions, admin also changes things and looks after nodes, tokens, viewers and
operators, owner looks after everybody. With --password it is asked for, or read from the standard input.

Examples:
  $ muster user create ann --role operator --password
  $ muster user set ann --role admin
  $ muster user set ann --disable
  $ muster user delete ann`;

const ROLE = (): Option => new Option('--role <role>', 'what they may do').choices(Role.options);

const SetOptions = z.object({
  role: Role.optional(),
  password: z.boolean().default(false),
  disable: z.boolean().default(false),
  enable: z.boolean().default(false),
});

/** `muster user list|create|set|delete`. */
export function userCommand(io: Io): Command {
  return new Command('user')
    .description('Look after the people who may use this controller.')
    .addCommand(listCommand(io))
    .addCommand(createCommand(io))
    .addCommand(setCommand(io))
    .addCommand(deleteCommand(io))
    .addHelpText('after', HELP);
}

function listCommand(io: Io): Command {
  return addConnectionOptions(new Command('list').description('List the users.')).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(UserView, { path: '/users' });
    print(io, { isJson, value: { items }, render: () => renderUsers(items, io) });
  });
}

function createCommand(io: Io): Command {
  const command = new Command('create')
    .description('Add a user.')
    .argument('<name>', 'letters, digits and _ . @ -')
    .addOption(ROLE().makeOptionMandatory())
    .option('--password', 'with a password, for muster login; without one they use API tokens');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { role, password } = SetOptions.parse(options);
    const body = { id, role, password: password ? await readNewPassword(io) : undefined };
    const user = await client.call(UserView, { method: 'POST', path: '/users', body });
    print(io, { isJson, value: user, render: () => `${escapeText(user.id)} is ${user.role}.` });
  });
}

function setCommand(io: Io): Command {
  const command = new Command('set')
    .description('Change a user; in force at once.')
    .argument('<name>', 'the user')
    .addOption(ROLE())
    .option('--password', 'a new password')
    .addOption(new Option('--disable', 'end all their tokens and keep them out').conflicts('enable'))
    .option('--enable', 'let them in again');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { role, password, disable, enable } = SetOptions.parse(options);
    if (role === undefined && !password && !disable && !enable) {
      throw new MusterError('usage', 'Say what to change: --role, --password, --disable or --enable');
    }
    const { client, isJson } = connect(options, io);
    const body = {
      role,
      password: password ? await readNewPassword(io) : undefined,
      disabled: disable ? true : enable ? false : undefined,
    };
    const path = `/users/${encodeURIComponent(id)}`;
    const user = await client.call(UserView, { method: 'PATCH', path, body });
    const render = (): string => `${escapeText(user.id)} is ${user.role}${user.disabled ? ', disabled' : ''}.`;
    print(io, { isJson, value: user, render });
  });
}

function deleteCommand(io: Io): Command {
  const command = new Command('delete').description('Delete a user with all tokens.').argument('<name>', 'the user');
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    await client.bytes({ method: 'DELETE', path: `/users/${encodeURIComponent(id)}` });
    print(io, { isJson, value: { id, deleted: true }, render: () => `Deleted ${escapeText(id)}.` });
  });
}

function renderUsers(users: readonly UserView[], io: Io): string {
  const head = ['NAME', 'ROLE', 'PASSWORD', 'STATE', 'SINCE', 'BY'];
  const rows = users.map((user) => [
    user.id,
    user.role,
    user.has_password ? 'yes' : '-',
    user.disabled ? 'disabled' : 'active',
    user.created_at,
    user.created_by,
  ]);
  return renderTable(head, rows, io);
}
