// npm run bench -- [--markdown] [round-trips|accept|proxy|broadcast|memory|pages …]: one run on one machine, Muster beside
// the bare transport, the disk and other queues. The aims are ratios within the run, since machines differ.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureAccept } from './accept.js';
import { measureBroadcast } from './broadcast.js';
import { createFleet, type Fleet } from './fleet.js';
import { measureMemory } from './memory.js';
import { measurePages } from './pages.js';
import { measureProxy } from './proxy.js';
import { measureEndToEnd } from './round-trips.js';
import { beginTable, type Line } from './table.js';

/** Where the parts of a run work; the fleet is shared, since its start takes longest. */
type Site = Readonly<{ directory: string; fleet: Fleet }>;

const PARTS: Readonly<Record<string, (site: Site) => Promise<Line[]> | AsyncIterable<Line>>> = {
  'round-trips': ({ directory }) => measureEndToEnd(directory),
  accept: ({ directory }) => measureAccept(directory),
  proxy: ({ directory }) => measureProxy(directory),
  broadcast: ({ directory, fleet }) => measureBroadcast(directory, fleet),
  memory: ({ fleet }) => measureMemory(fleet),
  pages: ({ fleet }) => measurePages(fleet),
};

const { values, positionals: words } = parseArgs({
  options: { markdown: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const unknown = words.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) throw new Error(`${unknown}: one of ${Object.keys(PARTS).join(', ')}`);
const chosen = Object.entries(PARTS).filter(([name]) => words.length === 0 || words.includes(name));

const directory = mkdtempSync(join(tmpdir(), 'muster-bench-'));
const fleet = createFleet(directory);
const table = beginTable(values);
try {
  for (const [, measure] of chosen) {
    for await (const line of await measure({ directory, fleet })) table.print(line);
  }
} finally {
  await fleet.stop();
  rmSync(directory, { recursive: true, force: true });
}
if (table.missed > 0) process.stderr.write(`${table.missed} aims missed\n`);
process.exitCode = table.missed > 0 ? 1 : 0;
