import { Command } from 'commander';
import { InvocationView } from '../../controller/http/schemas.js';
import { describeSelector } from '../../protocol/selectors.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster pending
  $ muster pending --json | jq -r '.items[].id'`;

/** `muster pending`: what waits for a person. */
export function pendingCommand(io: Io): Command {
  const command = new Command('pending')
    .description('List what waits for approval, oldest first.')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const items = await client.list(InvocationView, { path: '/approvals' });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(invocations: readonly InvocationView[], io: Io): string {
  if (invocations.length === 0) return 'Nothing waits.';
  const head = ['ID', 'ACTION', 'TARGET', 'RISK', 'REASON', 'BY', 'UNTIL'];
  const rows = invocations.map(({ id, action, target, risk, reason, created_by, expires_at }) => [
    ...[id, action, describeSelector(target), risk, reason ?? '-', created_by, expires_at],
  ]);
  return renderTable(head, rows, io);
}
