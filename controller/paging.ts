import { decodeBase64Url, encodeBase64Url } from '../protocol/base64url.js';
import { MusterError } from '../protocol/errors.js';
import type { Page } from './services.js';

/**
 * The key after which a page begins, of this shape; undefined for the first page.
 * @throws {MusterError} invalid_request
 */
export function readCursor(cursor: string | undefined, shape: RegExp = /^[\w./@-]{1,128}$/): string | undefined {
  if (cursor === undefined) return undefined;
  const key = decodeBase64Url(cursor)?.toString('utf8');
  if (key === undefined || !shape.test(key))
    throw new MusterError('invalid_request', 'The cursor is not one that a list gave');
  return key;
}

/** A page of rows that were read with one more than the limit, so that we know whether more follow. */
export function toPage<R, T>(
  rows: readonly R[],
  { limit, keyOf, toItem }: { limit: number; keyOf: (row: R) => string; toItem: (row: R) => T },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items: shown.map(toItem), next_cursor: more ? encodeBase64Url(keyOf(last)) : null };
}
