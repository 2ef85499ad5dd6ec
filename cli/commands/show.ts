import { Command } from 'commander';
import { complete, look } from '../follow.js';
import { parseInvocationId } from '../invocation-id.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderInvocation, renderTimings } from '../render/outcome.js';
import { renderOutcome } from '../report.js';

const HELP = `
Examples:
  $ muster show 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d
  $ muster show 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d --json | jq '.executions[0].exit_code'`;

/** `muster show ID`: an invocation, its outcomes and its timings. */
export function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('Show an invocation: what was asked, what each node answered, and when.')
    .argument('<id>', 'the invocation, as muster run and muster invocations print it', parseInvocationId)
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const { client, isJson } = connect(options, io);
    const answer = await look(client, id);
    if (isJson) return print(io, { isJson, value: await complete(client, answer), render: () => '' });
    const { invocation, executions } = answer;
    const parts = [renderInvocation(invocation), await renderOutcome(client, answer, io)];
    if (executions !== undefined && !('integration' in invocation.target)) parts.push(renderTimings(executions, io));
    print(io, { isJson, value: answer, render: () => parts.join('\n') });
  });
}
