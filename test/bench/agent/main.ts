// npm run bench:agent -- [--minutes N] [--markdown] [idle|start|durable-starts|output …]
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { beginTable, type Line } from '../table.js';
import { BUNDLE } from './agent.js';
import { measureDurableStarts } from './durable-starts.js';
import { measureIdle } from './idle.js';
import { measureOutput } from './output.js';
import { type Site, startSite } from './site.js';
import { measureStart } from './start.js';

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, markdown: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: a number of minutes`);

const parts: Readonly<Record<string, (site: Site) => Promise<Line[]>>> = {
  start: measureStart,
  idle: (site) => measureIdle(site, minutes),
  'durable-starts': measureDurableStarts,
  output: measureOutput,
};
const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
if (unknown !== undefined) throw new Error(`${unknown}: one of ${Object.keys(parts).join(', ')}`);
const chosen = Object.entries(parts).filter(([name]) => positionals.length === 0 || positionals.includes(name));

const table = beginTable(values);
table.print({ what: 'bundle', figures: `${Math.ceil(statSync(BUNDLE).size / 1024)} KiB` });
for (const [, measure] of chosen) {
  const directory = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  try {
    const site = await startSite(directory);
    try {
      for (const line of await measure(site)) table.print(line);
    } finally {
      await site.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
if (table.missed > 0) process.stderr.write(`${table.missed} aims missed\n`);
process.exitCode = table.missed > 0 ? 1 : 0;
