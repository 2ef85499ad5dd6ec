import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { VerifyReport } from '../../controller/verify/findings.js';
import { Sha256Hex } from '../../protocol/ids.js';
import { SYSTEM_CLOCK } from '../../runtime/clock.js';
import { EXIT } from '../../runtime/exit-codes.js';
import { escapeText } from '../../runtime/terminal-text.js';
import { dataDirOf } from '../installation.js';
import type { Io } from '../io.js';
import { addConnectionOptions, connect, print } from '../options.js';
import { renderTable } from '../render/table.js';

const HELP = `
Walks the audit trail to the end that the controller has signed, checks each stored result against the key of its node
and the request that was sent, each state against what is stored, and users, tokens, keys of nodes and policies against
the row of who made them. Ends with 1 when something does not hold. Keep the line "trail" that it prints somewhere else:
--kept finds a trail that was since put back to an older copy.

With --offline it reads the SQLite store itself, of a controller that does not run, or a copy of its directory.

Examples:
  $ muster verify
  $ muster verify --kept 812:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  $ muster verify --offline --data /var/lib/muster`;

/** A store with millions of results takes a while. */
const WAIT_SECONDS = 3_600;
const SHOWN = 50;

const Options = z.object({
  offline: z.boolean().default(false),
  kept: z.object({ seq: z.int(), hash: Sha256Hex }).optional(),
  data: z.string().optional(),
  org: z.string(),
  json: z.boolean().default(false),
});
type Options = Readonly<z.infer<typeof Options>>;

/** `muster verify`: the promises, checked on this installation's own records. */
export function verifyCommand(io: Io): Command {
  const command = new Command('verify')
    .description("Check the promises on this installation's own records.")
    .option('--kept <seq:hash>', 'a point of the audit trail that was kept before', parseKept)
    .option('--offline', 'read the store in the data directory, without a controller')
    .option('--org <id>', 'with --offline: the org', 'default')
    .addHelpText('after', HELP);
  return addConnectionOptions(command).action(async (given: unknown) => {
    const options = Options.parse(given);
    const report = options.offline ? await readOffline(options, io) : await askController(options, given, io);
    print(io, { isJson: options.json, value: report, render: () => render(report, io) });
    if (!report.ok) io.exitWith(EXIT.failed);
  });
}

function askController({ kept }: Options, given: unknown, io: Io): Promise<VerifyReport> {
  const { client } = connect(given, io);
  return client.call(VerifyReport, { path: '/verify', query: { ...kept }, waitSeconds: WAIT_SECONDS });
}

async function readOffline({ data, org, kept }: Options, io: Io): Promise<VerifyReport> {
  const { verifyDirectory } = await import('../../controller/verify/offline.js'); // it brings the database along
  return verifyDirectory(join(dataDirOf(data, io.env), 'controller'), { org, clock: SYSTEM_CLOCK, kept });
}

function render({ ok, head, checked, findings, findings_total }: VerifyReport, io: Io): string {
  const counts = Object.entries(checked).map(([what, count]) => `${count} ${what.replace('_', ' ')}`);
  const lines = [
    `checked: ${counts.join(', ')}`,
    `trail:   ${head === null ? 'not signed' : `${head.seq}:${head.hash} at ${head.at}`}`,
  ];
  if (ok) return [...lines, 'Everything holds.'].join('\n');
  const shown = findings.slice(0, SHOWN).map(({ check, subject, detail }) => [check, subject, detail]);
  const more = findings_total - shown.length;
  return [
    ...lines.map(escapeText),
    renderTable(['CHECK', 'SUBJECT', 'WHAT DOES NOT HOLD'], shown, io).trimEnd(),
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join('\n');
}

function parseKept(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^([1-9]\d{0,14}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new InvalidArgumentError('It is SEQ:HASH, as muster verify prints.');
  return { seq: Number(seq), hash };
}
