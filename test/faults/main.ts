// Harms a running installation in every way that the scenarios know and judges what became of the accepted work:
// npm run prove:agent -- [--short] [--seed N] [--keep] [--markdown] [word …]
import { randomInt } from 'node:crypto';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { runScenario, type ScenarioEnd } from './run-scenario.js';
import { SCENARIOS } from './scenarios.js';
import { HEADINGS, type Row, rowOf, toLine, toMarkdown } from './table.js';

const { values, positionals: words } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(randomInt(1e9)) },
    keep: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const note = (line: string): void => void process.stderr.write(`  ${line}\n`);

const { seed, keep } = values;
const size = values.short ? 'short' : 'full';
const chosen = SCENARIOS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
print(`seed ${seed}, ${size}, Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`);
print(toLine(HEADINGS));
const rows: Row[] = [];
const ends: ScenarioEnd[] = [];
for (const scenario of chosen) {
  note(`${scenario.name}: ${scenario.what}`);
  const end = await runScenario(scenario, { seed, size, keep, note });
  const row = rowOf(scenario.name, end);
  rows.push(row);
  ends.push(end);
  print(toLine(row));
  if (end.kind === 'judged') for (const fault of end.report.verdict.faults) print(`  ${fault}`);
  if (end.kind === 'broken') print(`  ${end.error instanceof Error ? (end.error.stack ?? '') : String(end.error)}`);
}
if (values.markdown) print(`\n${toMarkdown(rows)}\n`);
const count = (isOne: (end: ScenarioEnd) => boolean): number => ends.filter(isOne).length;
const good = count((end) => end.kind === 'judged' && end.report.verdict.faults.length === 0);
const skipped = count(({ kind }) => kind === 'skipped');
const points = ends.reduce((sum, end) => sum + (end.kind === 'judged' ? end.report.points : 0), 0);
print(`${good} held, ${ends.length - good - skipped} failed, ${skipped} skipped, ${points} points`);
process.exitCode = good > 0 && good + skipped === ends.length ? 0 : 1;
