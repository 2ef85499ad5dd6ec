import { escapeOutput } from '../../../../runtime/terminal-text.js';
import { isSameLook, isSameState, type Look, Painter, PLAIN, START, type State } from './terminal-looks.js';

/** A stretch of text that looks alike. */
export type Piece = Readonly<{ text: string; look: Look }>;

/** Some lines, each with its newline but perhaps the last. */
export type Block = Readonly<{
  firstLine: number;
  lines: number;
  pieces: readonly Piece[];
  /** What it was made from, and how text looked before and after it. */
  source: string;
  before: State;
  after: State;
}>;

const BLOCK_LINES = 200;

/**
 * What a program printed, as a terminal would show it: colours, carriage returns, erased lines. Whatever else could move
 * a cursor, ring or reorder text does nothing; what belongs to no known sequence is spelled out. Takes time in
 * proportion to the length, whatever the text; blocks of `known` that come again are used again.
 */
export function toBlocks(text: string, known: readonly Block[] = []): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let firstLine = 0; firstLine < lines.length; firstLine += BLOCK_LINES) {
    const some = lines.slice(firstLine, firstLine + BLOCK_LINES);
    const source = `${some.join('\n')}${firstLine + BLOCK_LINES < lines.length ? '\n' : ''}`;
    const before = blocks.at(-1)?.after ?? START;
    const same = known[blocks.length];
    if (same !== undefined && same.source === source && isSameState(same.before, before)) blocks.push(same);
    else {
      const painter = new Painter(before);
      const pieces = toPieces(source, painter);
      blocks.push({ firstLine, lines: some.length, pieces, source, before, after: painter.state() });
    }
  }
  return blocks;
}

function toPieces(source: string, painter: Painter): Piece[] {
  const text = source.replaceAll('\r\n', '\n');
  if (!isSpecial(text)) return [{ text: escapeOutput(text), look: painter.look }];
  const pieces: Piece[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (index > 0) append(pieces, { text: '\n', look: PLAIN });
    if (isSpecial(line)) for (const piece of toLine(line, painter)) append(pieces, piece);
    else if (line !== '') append(pieces, { text: escapeOutput(line), look: painter.look });
  }
  return pieces;
}

/** Whether there is more to it than characters. */
function isSpecial(text: string): boolean {
  return text.includes('\x1b') || text.includes('\r');
}

/** Sequences that terminals know: CSI, strings for the terminal (OSC, DCS …), and short ones; and the carriage return. */
const SEQUENCE = /\x1b\[([0-?]*)([ -/]*[@-~])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-OQ-WYZ`-~]|\r/g;

function toLine(line: string, painter: Painter): readonly Piece[] {
  const row = new Row();
  let at = 0;
  for (const match of line.matchAll(SEQUENCE)) {
    const [{ length }, parameters = '', kind = ''] = match;
    row.write(escapeOutput(line.slice(at, match.index)), painter.look);
    at = match.index + length;
    if (match[0] === '\r') row.column = 0;
    else if (kind === 'm') painter.change(parameters);
    else if (kind === 'K') row.erase(parameters);
  }
  row.write(escapeOutput(line.slice(at)), painter.look);
  return row.pieces();
}

/** A line that is written from where the cursor stands, over what is there. */
class Row {
  /** Where the cursor stands; undefined: at the end of what was written so far. */
  column: number | undefined;
  #done: Piece[] = [];
  /** One entry for each character once something was written over. */
  #cells: Piece[] | undefined;

  write(text: string, look: Look): void {
    if (text === '') return;
    if (this.column === undefined) {
      this.#done.push({ text, look });
      return;
    }
    const cells = this.#toCells();
    for (const character of text) {
      while (cells.length < this.column) cells.push({ text: ' ', look: PLAIN });
      cells[this.column++] = { text: character, look };
    }
  }

  /** `` or `0`: from the cursor on; `1`: up to it; `2`: all of it. */
  erase(parameters: string): void {
    const cells = this.#toCells();
    this.column ??= cells.length;
    if (parameters === '' || parameters === '0') cells.length = Math.min(cells.length, this.column);
    if (parameters === '2') cells.length = 0;
    if (parameters === '1') cells.fill({ text: ' ', look: PLAIN }, 0, this.column);
  }

  pieces(): readonly Piece[] {
    return this.#cells ?? this.#done;
  }

  #toCells(): Piece[] {
    this.#cells ??= this.#done.flatMap(({ text, look }) => [...text].map((character) => ({ text: character, look })));
    return this.#cells;
  }
}

function append(pieces: Piece[], piece: Piece): void {
  const last = pieces.at(-1);
  if (last !== undefined && (piece.text === '\n' || isSameLook(last.look, piece.look))) {
    pieces[pieces.length - 1] = { text: last.text + piece.text, look: last.look };
  } else pieces.push(piece);
}
