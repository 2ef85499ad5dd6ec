import type { Control, ControlEnd } from './control.js';
import type { ScenarioEnd } from './run-scenario.js';

/** One line of the table of fault runs. */
export type Row = readonly string[];

const WIDTHS = [40, 7, 9, 5, 8, 5, 10, 8, 8, 0];

/** What stands above the columns. */
export const HEADINGS: Row = [
  ...['scenario', 'points', 'accepted', 'lost', 'doubled', 'late', 'undefined', 'orphans', 'seconds', ''],
];

/** The row of one scenario. */
export function rowOf(name: string, end: ScenarioEnd): Row {
  if (end.kind === 'skipped') return [name, ...Array(8).fill('–'), `skipped: ${end.reason}`];
  const seconds = end.seconds.toFixed(0);
  if (end.kind === 'broken') return [name, ...Array(7).fill('–'), seconds, 'BROKEN'];
  const { points, verdict } = end.report;
  const { accepted, lost, doubled, late, undefined: indefinite, orphans, faults } = verdict;
  const counts = [points, accepted, lost, doubled, late, indefinite, orphans].map(String);
  return [name, ...counts, seconds, faults.length === 0 ? 'ok' : 'FAULT'];
}

/** The row of a negative control: its faults have to be there. */
export function rowOfControl({ name, caughtBy, expected }: Control, end: ControlEnd): Row {
  if (end.kind === 'skipped' || end.kind === 'broken') return rowOf(name, end);
  const { verdict, seconds } = end;
  const row = rowOf(name, { kind: 'judged', report: { points: 1, verdict }, seconds });
  const last =
    end.kind === 'caught' ? `caught by ${caughtBy}` : `NOT CAUGHT by ${caughtBy}: no ${expected.join(', no ')}`;
  return [...row.slice(0, -1), last];
}

/** A row for a terminal. */
export function toLine(row: Row): string {
  return row.map((cell, at) => (at === 0 ? cell.padEnd(WIDTHS[at] ?? 0) : cell.padStart(WIDTHS[at] ?? 0))).join(' ');
}

/** The same table for a document. */
export function toMarkdown(rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(HEADINGS), line(HEADINGS.map((_, at) => (at === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n');
}
