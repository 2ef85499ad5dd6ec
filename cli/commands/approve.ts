import { Command } from 'commander';
import { z } from 'zod';
import { GrantView } from '../../controller/http/grant-schemas.js';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { MusterError } from '../../protocol/errors.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { parseBudget } from '../budget.js';
import { look } from '../follow.js';
import { parseInvocationId } from '../invocation-id.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderInvocation } from '../render/outcome.js';

const HELP = `
It shows what it approves, and approves exactly that: the controller refuses when the ask, its nodes or a hook are
others than shown. With --digest it approves only what you have looked at before (muster show ID --json).

With --grant the next asks of the same sandbox for the same action and target are approved at once, too, until the grant
ends (muster grant list, muster grant revoke).

Examples:
  $ muster pending
  $ muster approve 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d
  $ muster approve 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d --grant --max-calls 20 --for 2h`;

const DENY_HELP = `
Examples:
  $ muster deny 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d --reason "not on a Friday"`;

const ApproveOptions = z.object({
  digest: z.string().optional(),
  grant: z.boolean().default(false),
  maxCalls: z.int().optional(),
  for: z.string().optional(),
  orgWide: z.boolean().default(false),
});

/** An approval, and what was granted with it. */
const Approved = InvocationAnswer.extend({ grant: GrantView.optional() });
const DenyOptions = z.object({ reason: z.string().optional() });

/** `muster approve ID`: lets run what waits. */
export function approveCommand(io: Io): Command {
  const command = new Command('approve')
    .description('Approve what waits for a person.')
    .argument('<id>', 'the invocation, as muster pending prints it', parseInvocationId)
    .option('--digest <sha256>', 'only if its digest is this')
    .option('--grant', 'and the next ones for the same action and target')
    .option('--max-calls <n>', 'with --grant: so many of them; as many as come without it', parseBudget)
    .option('--for <duration>', 'with --grant: how long; 8h without it')
    .option('--org-wide', 'with --grant: whoever asks, and not this sandbox alone')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const parsed = ApproveOptions.parse(options);
    const grant = wishOf(parsed);
    const shown = await look(client, id);
    const { digest = shown.invocation.digest } = parsed;
    if (!isJson) io.stderr.write(renderInvocation(shown.invocation));
    const path = `/invocations/${encodeURIComponent(id)}/approve`;
    const answer = await client.call(Approved, { method: 'POST', path, body: { digest, grant } });
    const granted = answer.grant === undefined ? '' : `${sentenceOf(answer.grant)}\n`;
    const render = (): string => `${granted}Approved. Look with: muster show ${escapeText(id)}`;
    print(io, { isJson, value: answer, render });
  });
}

/** @throws {MusterError} usage */
function wishOf({ grant, maxCalls: max_calls, for: expires_in, orgWide }: z.infer<typeof ApproveOptions>) {
  if (grant) return { scope: orgWide ? 'org' : 'session', max_calls, expires_in };
  if (max_calls === undefined && expires_in === undefined && !orgWide) return undefined;
  throw new MusterError('usage', '--max-calls, --for and --org-wide say what --grant grants: give it, too');
}

function sentenceOf({ id, scope, max_calls, expires_at }: GrantView): string {
  const whose = scope === 'org' ? 'everybody' : 'this sandbox';
  const many = max_calls === null ? 'all' : `${max_calls} more`;
  return `Granted ${id}: ${many} of ${whose} until ${expires_at}.`;
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
