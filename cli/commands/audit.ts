import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { AuditView } from '../../controller/http/audit-schemas.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Examples:
  $ muster audit
  $ muster audit --subject node:pump-7 --limit 200
  $ muster audit --event invocation_approved --since 2026-11-20T00:00:00Z --json`;

const Options = z.object({
  event: z.string().optional(),
  actor: z.string().optional(),
  subject: z.string().optional(),
  since: z.string().optional(),
  limit: z.int(),
});

/** `muster audit`: who did what. */
export function auditCommand(io: Io): Command {
  const command = new Command('audit')
    .description('Read the audit trail, newest first.')
    .option('--event <name>', 'only this event')
    .option('--actor <name>', 'only what this user, node:… or controller did')
    .option('--subject <name>', 'only what is about this: node:pump-7, invocation:ID, user:ann, …')
    .option('--since <time>', 'only from this time on, as 2026-11-20T00:00:00Z')
    .option('--limit <n>', 'how many at most', parseLimit, 50)
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (options: unknown) => {
    const { client, isJson } = connect(options, io);
    const { limit, ...query } = Options.parse(options);
    const items = await client.list(AuditView, { path: '/audit', query, limit });
    print(io, { isJson, value: { items }, render: () => render(items, io) });
  });
}

function render(rows: readonly AuditView[], io: Io): string {
  if (rows.length === 0) return 'Nothing of that kind was done.';
  const head = ['SEQ', 'AT', 'ACTOR', 'EVENT', 'SUBJECT', 'DETAILS'];
  const cells = rows.map(({ seq, at, actor, event, subject, details }) => {
    const pairs = Object.entries(details).map(([name, value]) => `${name}=${value}`);
    return [String(seq), at, actor, event, subject, pairs.join(' ') || '-'];
  });
  return renderTable(head, cells, io);
}

function parseLimit(text: string): number {
  const limit = z.coerce.number().int().min(1).max(100_000).safeParse(text);
  if (!limit.success) throw new InvalidArgumentError('It must be a whole number from 1 to 100000.');
  return limit.data;
}
