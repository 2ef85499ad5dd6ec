import { Command } from 'commander';
import { z } from 'zod';
import { controllerEndpoint } from '../../agent/controller-endpoint.js';
import { ApiTokenCreated } from '../../controller/http/people-schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { type Client, createClient } from '../client.js';
import { findUrl, writeLogin } from '../installation.js';
import type { Io } from '../io.js';
import { readPassword } from '../password.js';
import { signInElsewhere } from '../sso.js';
import { untilInterrupted } from '../until-interrupted.js';

const HELP = `
The token that it gets is kept for you alone and works for 12 hours. Commands use it where no ./.muster, --data or
MUSTER_DATA names an installation. muster logout ends it.

Examples:
  $ muster login --url https://muster.example.org --user ann
  $ muster login --url https://muster.example.org --sso`;

const LoginOptions = z.object({
  url: z.string().optional(),
  user: z.string().optional(),
  sso: z.boolean().default(false),
});

/** `muster login`: a password, or what the provider of the controller says, for a token that is kept for this user of the machine. */
export function loginCommand(io: Io): Command {
  return new Command('login')
    .description('Log in to a controller, with a name and a password or at its OpenID Connect provider.')
    .option('--url <url>', 'address of the controller (MUSTER_URL)')
    .option('--user <name>', 'your name there')
    .option('--sso', 'sign in at the provider of the controller, with any browser')
    .addHelpText('after', HELP)
    .action(async (options: unknown) => {
      const { url: given, user, sso } = LoginOptions.parse(options);
      if (sso === (user !== undefined)) throw new MusterError('usage', 'Say who you are with --user, or use --sso');
      const url = findUrl(given, io.env);
      if (url === undefined) throw new MusterError('usage', 'Say which controller with --url or MUSTER_URL');
      controllerEndpoint(url, ''); // a password does not cross a network in the clear
      const client = createClient({ url, token: 'none' });
      const keep = (made: ApiTokenCreated): void => {
        writeLogin({ url, token: made.token }, io.env);
        const until = made.expires_at ?? 'you log out';
        io.stderr.write(`Logged in to ${url} as ${escapeText(made.user)} (${made.role}) until ${until}.\n`);
      };
      if (user !== undefined) return keep(await withPassword(client, io, user));
      return untilInterrupted(io, async (signal) => keep(await signInElsewhere(client, io, signal)));
    });
}

async function withPassword(client: Client, io: Io, user: string): Promise<ApiTokenCreated> {
  const body = { user, password: await readPassword(io, `Password of ${user}: `) };
  return client.call(ApiTokenCreated, { method: 'POST', path: '/login', body });
}
