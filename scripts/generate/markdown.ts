/** A Markdown table; cells are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

/** Text as code: `x`. */
export function code(text: string): string {
  return `\`${text}\``;
}

/** Several as code: `a`, `b`. */
export function codes(texts: readonly string[]): string {
  return texts.map(code).join(', ');
}

/** The first letter in upper case, a full stop at the end. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;
}

/** What every generated page begins with. */
export function generatedNote(source: string): string {
  return `<!-- Made by npm run generate from ${source}; edit that instead. -->`;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
