// Harms a running installation in every way that the scenarios know and judges what became of the accepted work:
// npm run prove:agent (or prove:controller) -- [--short] [--seed N] [--keep] [--markdown] [word …]
import { randomInt } from 'node:crypto';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { type ControlEnd, runControl } from './control.js';
import { runScenario, type ScenarioEnd } from './run-scenario.js';
import { SUITES } from './suites.js';
import { HEADINGS, type Row, rowOf, rowOfControl, toLine, toMarkdown } from './table.js';

const {
  values,
  positionals: [name = '', ...words],
} = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(randomInt(1e9)) },
    keep: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const suite = SUITES.get(name);
if (suite === undefined) throw new Error(`name a suite: ${[...SUITES.keys()].join(' or ')}`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const note = (line: string): void => void process.stderr.write(`  ${line}\n`);

const { seed, keep } = values;
const size = values.short ? 'short' : 'full';
const isChosen = ({ name }: { name: string }): boolean =>
  words.length === 0 || words.some((word) => name.includes(word));
const rows: Row[] = [];
const counts = { held: 0, failed: 0, skipped: 0, points: 0 };
const tell = (row: Row, details: readonly string[]): void => {
  rows.push(row);
  for (const line of [toLine(row), ...details.map((each) => `  ${each}`)]) print(line);
};
const detailsOf = (end: ScenarioEnd | ControlEnd): readonly string[] => {
  if (end.kind === 'broken') return [end.error instanceof Error ? (end.error.stack ?? '') : String(end.error)];
  return end.kind === 'judged' ? end.report.verdict.faults : [];
};

print(`seed ${seed}, ${size}, Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model}`);
print(toLine(HEADINGS));
for (const scenario of suite.scenarios.filter(isChosen)) {
  note(`${scenario.name}: ${scenario.what}`);
  const end = await runScenario(scenario, { seed, size, keep, note });
  tell(rowOf(scenario.name, end), detailsOf(end));
  if (end.kind === 'skipped') counts.skipped += 1;
  else if (end.kind === 'judged' && end.report.verdict.faults.length === 0) counts.held += 1;
  else counts.failed += 1;
  if (end.kind === 'judged') counts.points += end.report.points;
}
for (const control of suite.controls.filter(isChosen)) {
  note(`negative control: ${control.name}`);
  const end = await runControl(control, { suite, seed, note });
  tell(rowOfControl(control, end), detailsOf(end));
  if (end.kind === 'skipped') counts.skipped += 1;
  else if (end.kind === 'caught') counts.held += 1;
  else counts.failed += 1;
}
if (values.markdown) print(`\n${toMarkdown(rows)}\n`);
print(`${counts.held} held, ${counts.failed} failed, ${counts.skipped} skipped, ${counts.points} points`);
process.exitCode = counts.held > 0 && counts.failed === 0 ? 0 : 1;
