import { Command } from 'commander';
import { SuspensionView } from '../../controller/http/suspension-schemas.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';

const HELP = `
A controller whose store was restored from an older copy starts nothing, since it does not know what was cancelled,
denied or changed after the copy was made. Look at what is open, and cancel what must not run: the rest is offered again.

Examples:
  $ muster invocations --status approved,executing
  $ muster resume`;

/** `muster resume`: an owner's word that a restored controller may start work again. */
export function resumeCommand(io: Io): Command {
  const command = new Command('resume')
    .description('Let a controller start work again that was restored from an older copy.')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const ended = await client.call(SuspensionView, { method: 'POST', path: '/resume' });
    const render = (): string =>
      `Resumed. Nothing was started since ${escapeText(ended.since ?? '-')}, when ${escapeText(ended.node ?? '-')} knew of more than the store.`;
    print(io, { isJson, value: ended, render });
  });
}
