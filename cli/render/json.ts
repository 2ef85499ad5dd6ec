const INDENT = '  ';
/** Beyond this a person looks for something, and does that better in the text as it came. */
const MAX_LENGTH = 256 * 1024;
const MAX_DEPTH = 32;

/**
 * One line of JSON laid out for a person: what fits into the columns stays on one line, the rest is indented. Text that
 * is not the JSON of an object or a list, or that would not come out as the same JSON, is left as it is.
 */
export function layOutJson(text: string, columns: number): string {
  const trimmed = text.trim();
  if (trimmed.length > MAX_LENGTH || !/^[[{]/.test(trimmed)) return text;
  const value = parse(trimmed);
  // Larger numbers than JavaScript can hold and names that come twice would be others afterwards.
  const isSame = isShallow(value, MAX_DEPTH) && JSON.stringify(value) === trimmed;
  return isSame ? layOut(value, '', { columns, used: 0 }) : text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((member) => isShallow(member, depth - 1));
}

/** `used` columns of the first line are taken by what stands before the value. */
function layOut(value: unknown, indent: string, { columns, used }: { columns: number; used: number }): string {
  const line = onOneLine(value);
  if (typeof value !== 'object' || value === null || indent.length + used + line.length < columns) return line;
  const inner = indent + INDENT;
  const isList = Array.isArray(value);
  const members = Object.entries(value).map(([name, member]) => {
    const key = isList ? '' : `${JSON.stringify(name)}: `;
    return `${inner}${key}${layOut(member, inner, { columns, used: key.length })}`;
  });
  return isList ? `[\n${members.join(',\n')}\n${indent}]` : `{\n${members.join(',\n')}\n${indent}}`;
}

function onOneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`;
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${onOneLine(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}
