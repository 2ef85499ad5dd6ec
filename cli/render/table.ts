import Table from 'cli-table3';
import { escapeText } from '../../runtime/terminal-text.js';
import { colorsFor, type Io } from '../io.js';

/** Text of a cell, and what it means. */
export type Cell = string | Readonly<{ text: string; tone: 'good' | 'bad' | 'dim' }>;

/** No column is cut below this many characters. */
const MIN_COLUMN = 6;
const GAP = 2;

/** Columns without lines between them. Cells are made safe here; on a terminal the widest are cut so that a row fits. */
export function renderTable(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  io: Pick<Io, 'stdout' | 'env'>,
): string {
  const colors = colorsFor(io);
  const tones = { good: colors.green, bad: colors.red, dim: colors.dim };
  const texts = rows.map((row) => row.map((cell) => escapeText(typeof cell === 'string' ? cell : cell.text)));
  const natural = head.map((title, column) =>
    Math.max(...[title, ...texts.map((row) => row[column] ?? '')].map((text) => text.length)),
  );
  const widths = fit(natural, io.stdout.isTTY === true ? io.stdout.columns : undefined);
  const table = new Table({
    head: head.map((title) => colors.bold(title)),
    colWidths: widths.map((width) => width + GAP),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': GAP },
  });
  for (const [index, row] of rows.entries()) {
    table.push(
      row.map((cell, column) => {
        const text = texts[index]?.[column] ?? '';
        return typeof cell === 'string' ? text : tones[cell.tone](text);
      }),
    );
  }
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Widths whose sum fits: the widest column is cut first. Without a width they stay as they are. */
export function fit(natural: readonly number[], columns: number | undefined): number[] {
  const widths = [...natural];
  if (columns === undefined) return widths;
  let excess = widths.reduce((sum, width) => sum + width, GAP * (widths.length - 1)) - columns;
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths));
    const width = widths[widest] ?? 0;
    if (width <= MIN_COLUMN) break;
    widths[widest] = width - 1;
    excess -= 1;
  }
  return widths;
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
