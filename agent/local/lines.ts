import { MusterError } from '../../protocol/errors.js';

const NEWLINE = 0x0a;

/**
 * Cuts a stream of bytes into lines: each call takes the next bytes and gives the lines that they complete.
 * The function that it gives throws {MusterError} invalid_request once a line is longer than `maxBytes`.
 */
export function createLineCutter(maxBytes: number): (chunk: Buffer) => string[] {
  let parts: Buffer[] = [];
  let bytes = 0;
  const add = (part: Buffer): void => {
    bytes += part.length;
    if (bytes > maxBytes) {
      parts = [];
      throw new MusterError('invalid_request', `A line is longer than ${maxBytes} bytes`);
    }
    parts.push(part);
  };
  return (chunk) => {
    const lines: string[] = [];
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, at)) {
      add(chunk.subarray(at, end));
      lines.push(Buffer.concat(parts).toString('utf8'));
      [parts, bytes, at] = [[], 0, end + 1];
    }
    add(chunk.subarray(at));
    return lines;
  };
}

/** The value of a line of JSON; undefined, which no schema takes, when it is none. */
export function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A value as a line. */
export function toLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
