/** A word with its quotes and backslashes; the last one may lack its closing quote. */
const WORD = /(?:[^\s"'\\]|\\.?|'[^']*'?|"(?:[^"\\]|\\.)*"?)+/gs;

/** A quoted part of a word, or an escaped character. */
const QUOTED = /'([^']*)'?|"((?:[^"\\]|\\.)*)"?|\\(.?)/gs;

/**
 * The words of a command line up to the cursor, as a POSIX shell divides it, without their quotes; variables and
 * patterns stay as they are written. The last word is the one that is being typed, empty after a blank.
 */
export function splitLine(line: string): string[] {
  const found = [...line.matchAll(WORD)];
  const last = found.at(-1);
  const isTyping = last !== undefined && last.index + last[0].length === line.length;
  return [...found.map(([word]) => unquote(word)), ...(isTyping ? [] : [''])];
}

function unquote(word: string): string {
  return word.replace(
    QUOTED,
    (_, single?: string, double?: string, escaped?: string) =>
      single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? '',
  );
}
