import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { InvocationView } from '../../controller/http/schemas.js';
import { describeTarget } from '../../controller/http/target-schemas.js';
import { parseDuration } from '../../protocol/durations.js';
import { Time } from '../../protocol/ids.js';
import { SYSTEM_CLOCK, toTime } from '../../runtime/clock.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { invocationCell } from '../render/status.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster invocations
  $ muster invocations --status failed,expired --since 24h
  $ muster invocations --node pump-7 --limit 100 --json`;

const ListOptions = z.object({
  limit: z.int(),
  status: z.string().optional(),
  action: z.string().optional(),
  node: z.string().optional(),
  since: z.string().optional(),
});

/** `muster invocations`: what was asked lately. */
export function invocationsCommand(io: Io): Command {
  const command = new Command('invocations')
    .description('List the invocations, newest first.')
    .option('--status <status>', 'only those in this state; more with commas between')
    .option('--action <name>', 'only those of this action')
    .option('--node <id>', 'only those that asked this node')
    .option('--since <time>', 'only those that were made since: 2h, or a time such as 2026-01-31T08:00:00Z', parseSince)
    .option('--limit <n>', 'how many at most', parseLimit, 20)
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { limit, ...query } = ListOptions.parse(options);
    const items = await client.list(InvocationView, { path: '/invocations', limit, query });
    print(io, {
      isJson,
      value: { items },
      render: () => render(items, { io, isNarrowed: Object.values(query).some((each) => each !== undefined) }),
    });
  });
}

function render(invocations: readonly InvocationView[], { io, isNarrowed }: { io: Io; isNarrowed: boolean }): string {
  if (invocations.length === 0) return isNarrowed ? 'There is none such.' : 'Nothing was asked yet.';
  const head = ['ID', 'STATUS', 'ACTION', 'TARGET', 'SUCCEEDED', 'ASKED AT', 'BY'];
  const rows = invocations.map(({ id, status, action, target, counts, created_at, created_by }) => [
    id,
    invocationCell(status),
    action,
    describeTarget(target),
    'integration' in target ? '-' : `${counts.success} of ${counts.total}`,
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

/** A time, or a duration before now. */
function parseSince(text: string): string {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined && agoMs >= 0) return toTime(SYSTEM_CLOCK.nowMs() - agoMs);
  const time = Time.safeParse(text);
  if (!time.success) throw new InvalidArgumentError('It must be a duration such as 2h, or a time with Z at its end.');
  return time.data;
}
