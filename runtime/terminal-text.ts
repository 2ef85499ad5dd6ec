/** Controls, line separators and what reorders or hides text (Trojan Source, CVE-2021-42574). */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The same without newline and tab, which output may hold. */
const UNSAFE_IN_OUTPUT = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/** Text of others on one line of a terminal: whatever could move the cursor, colour, ring or reorder is spelled out. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, spell);
}

/** What a program printed, safe for a terminal: its lines and tabs are kept, `\r\n` is one line end. */
export function escapeOutput(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE_IN_OUTPUT, spell);
}

/** JSON for programs and terminals: JSON.stringify leaves DEL, C1 and reordering characters as they are. */
export function toJson(value: unknown): string {
  return withoutUnsafe(JSON.stringify(value, undefined, 2));
}

/** The same on one line, for programs that read line by line. */
export function toJsonLine(value: unknown): string {
  return withoutUnsafe(JSON.stringify(value));
}

function withoutUnsafe(json: string): string {
  return json.replace(UNSAFE_IN_OUTPUT, (character) => `\\u${hex(character, 4)}`);
}

function spell(character: string): string {
  const code = character.charCodeAt(0);
  return SHORT.get(character) ?? (code < 256 ? `\\x${hex(character, 2)}` : `\\u${hex(character, 4)}`);
}

function hex(character: string, digits: number): string {
  return character.charCodeAt(0).toString(16).padStart(digits, '0');
}
