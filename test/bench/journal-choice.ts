// npm run bench:journal: the agent's journal beside two embedded stores that could take its place, behind the same few
// operations: how fast, how much is written, what it takes, and what it loses when the disk is cut, filled or broken.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { lacksInjection } from '../faults/tools/inject.js';
import { lacksLoopDisk } from '../faults/tools/loop-disk.js';
import { lacksSmallDisk } from '../faults/tools/small-disk.js';
import { CANDIDATES } from './journal/candidates.js';
import { type BadDiskReport, cutPower, failSyncs, fillDisk } from './journal/harm.js';
import { measureNeeds, measureRates, type Rates } from './journal/speed.js';
import { percentile } from './statistics.js';

const CUTS = 10;
const ROUNDS = 5;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const directory = mkdtempSync(join(tmpdir(), 'muster-journal-choice-'));
const rows: Record<string, string>[] = [];
try {
  const names = Object.keys(CANDIDATES);
  const rounds = new Map<string, Rates[]>(names.map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const name of names) rounds.get(name)?.push(await measureRates(name, directory));
  }
  for (const name of names) rows.push(await rowOf(name, rounds.get(name) ?? []));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
print(rows);

async function rowOf(name: string, rounds: readonly Rates[]): Promise<Record<string, string>> {
  const speed = await measureNeeds(name, directory);
  const median = (of: (rates: Rates) => number): number => percentile(rounds.map(of), 0.5);
  const rate = (of: (rates: Rates) => number): string =>
    `${median(of).toFixed(0)} (${median((rates) => of(rates) / rates.disk).toFixed(2)} × the disk)`;
  return {
    store: name,
    'starts/s, 1 at a time': rate(({ single }) => single),
    'starts/s, 64 at once': rate(({ together }) => together),
    'bytes written per execution': speed.bytesPerLife.toFixed(0),
    'reopening 10,000, ms': speed.reopenMs.toFixed(0),
    'memory then, MiB': speed.reopenedMiB.toFixed(1),
    'on the node, KiB': (await sizeOf(name)).toFixed(0),
    [`${CUTS} power cuts`]: await told(lacksLoopDisk(), async () => {
      const { told, forgottenStarts, lostResults } = await cutPower(name, directory, CUTS);
      return `${forgottenStarts} starts, ${lostResults} results of ${told} lost`;
    }),
    'full disk': await told(lacksSmallDisk(), async () => saying(await fillDisk(name, directory))),
    'EIO at two syncs': await told(lacksInjection(), async () => saying(await failSyncs(name, directory))),
  };
}

function saying({ refused, goesOn, lost }: BadDiskReport): string {
  return `${refused} refused, ${goesOn ? 'goes on' : 'needs a restart'}, ${lost} lost`;
}

async function told(
  lacks: string | undefined | Promise<string | undefined>,
  run: () => Promise<string>,
): Promise<string> {
  const reason = await lacks;
  return reason === undefined ? run() : `skipped: ${reason}`;
}

/** What it adds to the files of an agent, for one processor: our code in the bundle, or a native module and its code. */
async function sizeOf(name: string): Promise<number> {
  if (name !== 'journal') return nativeBytes(name) / 1024;
  const { metafile } = await build({
    ...{ entryPoints: [join(ROOT, 'agent/journal/journal.ts')], absWorkingDir: ROOT, outfile: 'journal.cjs' },
    ...{ bundle: true, minify: true, platform: 'node', format: 'cjs', metafile: true, write: false },
  });
  const inputs = Object.values(metafile.outputs).flatMap(({ inputs: each }) => Object.entries(each));
  const own = inputs.filter(([file]) => file.startsWith('agent/journal/'));
  return own.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0) / 1024;
}

function nativeBytes(name: string): number {
  const modules = join(ROOT, 'node_modules');
  const folder =
    name === 'libsql'
      ? join(modules, `@libsql/${process.platform}-${process.arch}-gnu`)
      : join(modules, `classic-level/prebuilds/${process.platform}-${process.arch}`);
  return Math.max(
    ...readdirSync(folder)
      .filter((file) => file.endsWith('.node') && !file.includes('musl'))
      .map((file) => statSync(join(folder, file)).size),
  );
}

/** A Markdown table with a column for each store. */
function print(stores: readonly Readonly<Record<string, string>>[]): void {
  const [first = {}] = stores;
  for (const [index, key] of Object.keys(first).entries()) {
    process.stdout.write(`| ${[key, ...stores.map((store) => store[key] ?? '')].join(' | ')} |\n`);
    if (index === 0) process.stdout.write(`|${' --- |'.repeat(stores.length + 1)}\n`);
  }
}
