import { Command } from 'commander';
import { z } from 'zod';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { look } from '../follow.js';
import { parseInvocationId } from '../invocation-id.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderInvocation } from '../render/outcome.js';

const HELP = `
It shows what it approves, and approves exactly that: the controller refuses when the ask, its nodes or a hook are
others than shown. With --digest it approves only what you have looked at before (muster show ID --json).

Examples:
  $ muster pending
  $ muster approve 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d`;

const DENY_HELP = `
Examples:
  $ muster deny 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d --reason "not on a Friday"`;

const ApproveOptions = z.object({ digest: z.string().optional() });
const DenyOptions = z.object({ reason: z.string().optional() });

/** `muster approve ID`: lets run what waits. */
export function approveCommand(io: Io): Command {
  const command = new Command('approve')
    .description('Approve what waits for a person.')
    .argument('<id>', 'the invocation, as muster pending prints it', parseInvocationId)
    .option('--digest <sha256>', 'only if its digest is this')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const shown = await look(client, id);
    const { digest = shown.invocation.digest } = ApproveOptions.parse(options);
    if (!isJson) io.stderr.write(renderInvocation(shown.invocation));
    const path = `/invocations/${encodeURIComponent(id)}/approve`;
    const answer = await client.call(InvocationAnswer, { method: 'POST', path, body: { digest } });
    const render = (): string => `Approved. Look with: muster show ${escapeText(id)}`;
    print(io, { isJson, value: answer, render });
  });
}

/** `muster deny ID`: keeps from running what waits. */
export function denyCommand(io: Io): Command {
  const command = new Command('deny')
    .description('Deny what waits for a person.')
    .argument('<id>', 'the invocation, as muster pending prints it', parseInvocationId)
    .option('--reason <text>', 'why; whoever asked sees it')
    .addHelpText('after', DENY_HELP);
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const path = `/invocations/${encodeURIComponent(id)}/deny`;
    const body = DenyOptions.parse(options);
    const answer = await client.call(InvocationAnswer, { method: 'POST', path, body });
    print(io, { isJson, value: answer, render: () => `Denied ${escapeText(id)}.` });
  });
}
