import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { InvocationView } from '../../controller/http/schemas.js';
import { describeSelector } from '../../protocol/selectors.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { invocationCell } from '../render/status.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster invocations
  $ muster invocations --limit 100 --json`;

/** `muster invocations`: what was asked lately. */
export function invocationsCommand(io: Io): Command {
  const command = new Command('invocations')
    .description('List the invocations, newest first.')
    .option('--limit <n>', 'how many at most', parseLimit, 20)
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { limit } = z.object({ limit: z.int() }).parse(options);
    const items = await client.list(InvocationView, { path: '/invocations', limit });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(invocations: readonly InvocationView[], io: Io): string {
  if (invocations.length === 0) return 'Nothing was asked yet.';
  const head = ['ID', 'STATUS', 'ACTION', 'TARGET', 'SUCCEEDED', 'ASKED AT', 'BY'];
  const rows = invocations.map(({ id, status, action, target, counts, created_at, created_by }) => [
    id,
    invocationCell(status),
    action,
    describeSelector(target),
    `${counts.success} of ${counts.total}`,
    created_at,
    created_by,
  ]);
  return renderTable(head, rows, io);
}

function parseLimit(text: string): number {
  const limit = z.coerce.number().int().min(1).max(10_000).safeParse(text);
  if (!limit.success) throw new InvalidArgumentError('It must be a whole number from 1 to 10000.');
  return limit.data;
}
