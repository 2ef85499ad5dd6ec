import { isUtf8 } from 'node:buffer';
import { MusterError } from '../../protocol/errors.js';

/** No body of ours is nested deeper than this. */
const MAX_DEPTH = 32;

/** A string or a structural character of JSON; everything between them is numbers, literals and white space. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/**
 * A JSON body, with what JSON.parse alone lets pass refused: bytes that are not UTF-8, names that come twice (two
 * readers would see two different requests; RFC 7493, section 2.3), `__proto__`, and nesting past 32 levels.
 * @throws {MusterError} malformed_json
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new MusterError('malformed_json', 'The body is not JSON in UTF-8');
  let text: string;
  let value: unknown;
  try {
    text = bytes.toString();
    value = JSON.parse(text);
  } catch (cause) {
    throw new MusterError('malformed_json', 'The body is not JSON in UTF-8', { cause });
  }
  const fault = faultOf(text);
  if (fault !== undefined) throw new MusterError('malformed_json', fault);
  return value;
}

/** What is wrong with text that is JSON already; undefined when nothing is. */
function faultOf(text: string): string | undefined {
  /** The names seen in each open object; an array has none. */
  const open: Set<string>[] = [];
  let lastString = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      open.push(new Set());
      if (open.length > MAX_DEPTH) return `The body is nested deeper than ${MAX_DEPTH} levels`;
    } else if (token === '}' || token === ']') open.pop();
    else if (token !== ':') lastString = token;
    else {
      const name: unknown = JSON.parse(lastString); // two spellings of one name, such as "\u0061" and "a", are one name
      if (typeof name !== 'string' || name === '__proto__') return 'The body uses the name __proto__';
      const names = open.at(-1);
      if (names?.has(name)) return `The body has the name ${JSON.stringify(name.slice(0, 64))} twice in one object`;
      names?.add(name);
    }
  }
  return undefined;
}
