import { Command } from 'commander';
import { isMusterError } from '../../protocol/errors.js';
import { createClient } from '../client.js';
import { forgetLogin, readLogin } from '../installation.js';
import type { Io } from '../io.js';

const HELP = `
Examples:
  $ muster logout`;

/** `muster logout`: ends the token of `muster login`, here and at the controller. */
export function logoutCommand(io: Io): Command {
  return new Command('logout')
    .description('End what muster login began.')
    .addHelpText('after', HELP)
    .action(async () => {
      const connection = readLogin(io.env);
      if (connection === undefined) {
        io.stderr.write('You are not logged in.\n');
        return;
      }
      try {
        await createClient(connection).bytes({ method: 'POST', path: '/logout' });
      } catch (error) {
        if (!isMusterError(error, 'unauthenticated')) throw error; // it had run out
      }
      forgetLogin(io.env);
      io.stderr.write(`Logged out of ${connection.url}.\n`);
    });
}
