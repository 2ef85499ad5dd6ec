// npm run bench: one run on one machine, Muster beside the bare transport and bare Node. Prints a table; the aims are
// ratios within the run, since machines differ. The words after -- narrow it: npm run bench -- round-trips broadcast agent.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { measureBroadcast } from './broadcast.js';
import { measureEndToEnd } from './round-trips.js';

/** One line of the table: what, the figures, and the aim with whether it was met. */
export type Line = Readonly<{ what: string; figures: string; aim?: string; met?: boolean }>;

const PARTS = { 'round-trips': measureEndToEnd, broadcast: measureBroadcast } as const;

const words = process.argv.slice(2);
const chosen = Object.entries(PARTS).filter(([name]) => words.length === 0 || words.includes(name));
const directory = mkdtempSync(join(tmpdir(), 'muster-bench-'));
try {
  const [cpu] = cpus();
  print({
    what: 'machine',
    figures: `${cpus().length} × ${cpu?.model ?? '?'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  });
  for (const [, measure] of chosen) for (const line of await measure(directory)) print(line);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function print({ what, figures, aim, met }: Line): void {
  const verdict = met === undefined ? '' : met ? '  met' : '  MISSED';
  process.stdout.write(`${what.padEnd(44)} ${figures.padEnd(64)} ${aim ?? ''}${verdict}\n`);
}
