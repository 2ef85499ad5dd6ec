import { Argument, Command } from 'commander';
import { BrokerCredential } from '../../controller/http/schemas.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';

const HELP = `
A monitor reads the broker's own counters ($SYS/#). A controller may watch every topic of the org: it is
for a second controller and for looking at what passes.

Examples:
  $ muster broker-credential monitor
  $ eval "$(muster broker-credential controller --json | jq -r '@sh "ID=\\(.client_id) PASS=\\(.password)"')"
  $ mosquitto_sub -i "$ID" -u "$ID" -P "$PASS" -t 'muster/v1/default/#' -v`;

/** `muster broker-credential ROLE`: who to be at the broker, for some days. */
export function brokerCredentialCommand(io: Io): Command {
  const command = new Command('broker-credential')
    .description('Get a client id and a password for the broker.')
    .addArgument(new Argument('<role>', 'what it is for').choices(['monitor', 'controller']))
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (role: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const credential = await client.call(BrokerCredential, {
      method: 'POST',
      path: '/broker-credentials',
      body: { role },
    });
    print(io, { isJson, value: credential, render: () => render(credential) });
  });
}

function render({ url, client_id, username, password, expires_at, filters }: BrokerCredential): string {
  const fields = [
    ['url', url],
    ['client id', client_id],
    ['username', username],
    ['password', password],
    ['expires', expires_at],
    ['may subscribe', filters.join(' ')],
  ];
  return fields.map(([name = '', value = '']) => `${`${name}:`.padEnd(15)}${escapeText(value)}`).join('\n');
}
