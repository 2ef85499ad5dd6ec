import { MusterError } from '../../protocol/errors.js';

/** Characters that some server on the way reads as a separator, and those that nobody can see. */
const NOT_IN_A_SEGMENT = /[/\\%?#\p{C}\p{Z}]/u;
const MAX_SEGMENT = 200;

/**
 * The path of a request, as in path`/issues/${id}/`: what is filled in stays one segment, whatever it holds.
 * @throws {MusterError} invalid_parameter: it could leave the path
 */
export function path(texts: TemplateStringsArray, ...parts: readonly (string | number)[]): string {
  return texts.reduce((whole, text, at) => `${whole}${toSegment(parts[at - 1] ?? '')}${text}`);
}

/** A value as one segment of a path. @throws {MusterError} invalid_parameter */
export function toSegment(value: string | number): string {
  const text = String(value);
  const isSegment = text !== '' && text.length <= MAX_SEGMENT && text !== '.' && !text.startsWith('..');
  if (isSegment && !NOT_IN_A_SEGMENT.test(text)) return encodeURIComponent(text);
  throw new MusterError('invalid_parameter', `${JSON.stringify(text.slice(0, 64))} cannot stand in an address`);
}
