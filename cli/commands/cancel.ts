import { Command } from 'commander';
import { z } from 'zod';
import { InvocationAnswer } from '../../controller/http/schemas.js';
import { ENDED_STATUSES } from '../../controller/http/statuses.js';
import { parseInvocationId } from '../invocation-id.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';

const HELP = `
What has not left the controller ends at once. A node that has it may have begun: it ends the action and says so.
A node that is away is told when it returns; until then the execution is "to be cancelled".

Examples:
  $ muster cancel 0197f0c2-9f5c-7b31-8e4a-6a0d5f1c2b3d --reason "wrong site"`;

/** A node that is there answers well within this. */
const WAIT_SECONDS = 5;

const CancelOptions = z.object({ reason: z.string().optional() });

/** `muster cancel ID`: wants an invocation to end and says how far that has come. */
export function cancelCommand(io: Io): Command {
  const command = new Command('cancel')
    .description('End an invocation that is under way.')
    .argument('<id>', 'the invocation, as muster run and muster invocations print it', parseInvocationId)
    .option('--reason <text>', 'why, for the record')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (id: string, options: unknown) => {
    const body = CancelOptions.parse(options);
    const { client, isJson } = connect(options, io);
    const path = `/invocations/${encodeURIComponent(id)}/cancel`;
    const answer = await client.call(InvocationAnswer, { method: 'POST', path, body, waitSeconds: WAIT_SECONDS });
    print(io, { isJson, value: answer, render: () => renderCancel(answer) });
  });
}

function renderCancel({ invocation: { id, status, counts, error } }: InvocationAnswer): string {
  if (ENDED_STATUSES.has(status)) return `${id} is ${status}${error === null ? '' : ` (${error})`}`;
  const open = counts.held + counts.queued + counts.sent + counts.accepted;
  return `${id} is to be cancelled; ${open} of ${counts.total} nodes have not answered yet. Look with: muster show ${id}`;
}
