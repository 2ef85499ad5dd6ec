import { Command } from 'commander';
import { z } from 'zod';
import type { StreamMessage } from '../../controller/http/event-schemas.js';
import { InvocationView } from '../../controller/http/schemas.js';
import { describeTarget } from '../../controller/http/target-schemas.js';
import { escapeText, toJsonLine } from '../../runtime/terminal-text.js';
import type { Client } from '../client.js';
import { followEvents } from '../events.js';
import { type Io, printLine } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';
import { untilInterrupted } from '../until-interrupted.js';

const HELP = `
With --watch it goes on until Ctrl-C and prints a line for each ask that begins to wait, and one when it waits no more;
with --json the lines are the events action_approval_request, action_approval_result and action_completed.

Examples:
  $ muster pending
  $ muster pending --watch
  $ muster pending --json | jq -r '.items[].id'`;

/** What is told of something that waits. */
const TYPES = 'action_approval_request,action_approval_result,action_completed';

/** `muster pending`: what waits for a person. */
export function pendingCommand(io: Io): Command {
  const command = new Command('pending')
    .description('List what waits for approval, oldest first.')
    .option('--watch', 'go on with what begins to wait, until Ctrl-C')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { watch } = z.object({ watch: z.boolean().default(false) }).parse(options);
    if (watch) return watchPending(client, { isJson, io });
    const items = await client.list(InvocationView, { path: '/approvals' });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

/** The list when the stream is open, so that nothing falls between the two; then what the stream tells. */
async function watchPending(client: Client, { isJson, io }: { isJson: boolean; io: Io }): Promise<void> {
  const waiting = new Set<string>();
  let isListed = false;

  async function list(): Promise<void> {
    if (isListed) return;
    isListed = true;
    const items = await client.list(InvocationView, { path: '/approvals' });
    for (const { id } of items) waiting.add(id);
    if (isJson) for (const item of items) printLine(io, toJsonLine({ type: 'invocation', ...item }));
    else printLine(io, render(items, io).trimEnd());
  }

  async function tell(message: StreamMessage): Promise<void> {
    const isRequest = message.type === 'action_approval_request';
    if (!isRequest && message.type !== 'action_approval_result' && message.type !== 'action_completed') return;
    const { invocationId: id } = message;
    // What was listed is told of once, and what never waited is no news here.
    if (isRequest ? waiting.has(id) : !waiting.has(id)) return;
    if (isRequest) waiting.add(id);
    else waiting.delete(id);
    printLine(io, isJson ? toJsonLine(message) : escapeText(isRequest ? await lineOf(client, id) : endOf(message)));
  }

  const onMessage = (message: StreamMessage): Promise<void> => {
    if (message.type === 'reset') isListed = false;
    return message.type === 'ready' || message.type === 'reset' ? list() : tell(message);
  };
  await untilInterrupted(io, (signal) => followEvents(client, { filter: { types: TYPES }, signal, onMessage }));
}

async function lineOf(client: Client, id: string): Promise<string> {
  const { invocation } = await client.call(z.object({ invocation: InvocationView }), { path: `/invocations/${id}` });
  const { action, target, risk, reason, created_by, expires_at } = invocation;
  const why = reason === null ? '' : ` (${reason})`;
  return `${id} waits until ${expires_at}: ${created_by} asks for ${action} on ${describeTarget(target)}, ${risk}${why}`;
}

function endOf(message: Extract<StreamMessage, { type: 'action_approval_result' | 'action_completed' }>): string {
  const { invocationId, status } = message;
  if (message.type === 'action_completed') return `${invocationId} waits no more: ${message.error ?? status}`;
  return `${invocationId} was ${status}${message.approvedBy === undefined ? '' : ` by ${message.approvedBy}`}`;
}

function render(invocations: readonly InvocationView[], io: Io): string {
  if (invocations.length === 0) return 'Nothing waits.';
  const head = ['ID', 'ACTION', 'TARGET', 'NODES', 'RISK', 'REASON', 'BY', 'UNTIL'];
  const rows = invocations.map(({ id, action, target, nodes, risk, reason, created_by, expires_at }) => [
    ...[id, action, describeTarget(target), String(nodes), risk, reason ?? '-', created_by, expires_at],
  ]);
  return renderTable(head, rows, io);
}
