import { Command } from 'commander';
import { z } from 'zod';
import { SessionLink } from '../../controller/http/session-schemas.js';
import type { Io } from '../io.js';
import { hasDisplay, openBrowser } from '../open-browser.js';
import { addConnectionOptions, connect, print } from '../options.js';

const HELP = `
The address signs one browser in as you, once, within two minutes; what it may do and for how long is what your token
may, for 12 hours at most. Give it to nobody. Where others use the same machine, --no-open keeps it out of the list of
processes.

Examples:
  $ muster dashboard
  $ muster dashboard --no-open
  $ muster dashboard --json | jq -r .url`;

const DashboardOptions = z.object({ open: z.boolean().default(true) });

/** `muster dashboard`: the page of the controller in a browser that is signed in. */
export function dashboardCommand(io: Io): Command {
  const command = new Command('dashboard')
    .description('Open the dashboard, signed in: prints its address, and opens it where there is a display.')
    .option('--no-open', 'print the address alone')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { open } = DashboardOptions.parse(options);
    const { client, isJson } = connect(options, io);
    const { code, expires_at } = await client.call(SessionLink, { method: 'POST', path: '/auth/session-links' });
    const url = `${client.url.replace(/\/+$/, '')}/#/sign-in?code=${code}`;
    print(io, { isJson, value: { url, expires_at }, render: () => url });
    if (isJson || !open || !hasDisplay(io, process.platform)) return;
    if (!(await openBrowser(url, io, process.platform))) io.stderr.write('No browser was found: open the address.\n');
  });
}
