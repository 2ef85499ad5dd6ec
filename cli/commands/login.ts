import { Command } from 'commander';
import { z } from 'zod';
import { controllerEndpoint } from '../../agent/controller-endpoint.js';
import { ApiTokenCreated } from '../../controller/http/people-schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { createClient } from '../client.js';
import { findUrl, writeLogin } from '../installation.js';
import type { Io } from '../io.js';
import { readPassword } from '../password.js';

const HELP = `
The token that it gets is kept for you alone and works for 12 hours. Commands use it where no ./.muster, --data or
MUSTER_DATA names an installation. muster logout ends it.

Examples:
  $ muster login --url https://muster.example.org --user ann`;

const LoginOptions = z.object({ url: z.string().optional(), user: z.string() });

/** `muster login`: a password for a token that is kept for this user of the machine. */
export function loginCommand(io: Io): Command {
  return new Command('login')
    .description('Log in to a controller with a name and a password.')
    .option('--url <url>', 'address of the controller (MUSTER_URL)')
    .requiredOption('--user <name>', 'your name there')
    .addHelpText('after', HELP)
    .action(async (options: unknown) => {
      const { url: given, user } = LoginOptions.parse(options);
      const url = findUrl(given, io.env);
      if (url === undefined) throw new MusterError('usage', 'Say which controller with --url or MUSTER_URL');
      controllerEndpoint(url, ''); // a password does not cross a network in the clear
      const body = { user, password: await readPassword(io, `Password of ${user}: `) };
      const call = { method: 'POST', path: '/login', body } as const;
      const { token, role, expires_at } = await createClient({ url, token: 'none' }).call(ApiTokenCreated, call);
      writeLogin({ url, token }, io.env);
      io.stderr.write(`Logged in to ${url} as ${escapeText(user)} (${role}) until ${expires_at ?? 'you log out'}.\n`);
    });
}
