import { decodeBase64Url, encodeBase64Url } from '../protocol/base64url.js';
import { MusterError } from '../protocol/errors.js';
import type { Page, PageRequest } from './services.js';

/**
 * The key after which a page begins, of the shape that this list gives its keys; undefined for the first page.
 * @throws {MusterError} invalid_request
 */
export function readCursor(cursor: string | undefined, shape: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const key = decodeBase64Url(cursor)?.toString('utf8');
  if (key === undefined || !shape.test(key))
    throw new MusterError('invalid_request', 'The cursor is not one that a list gave');
  return key;
}

/** Whoever asks or announces chooses how long an item is: a page ends early when its items come to more than this. */
export const MAX_PAGE_OCTETS = 4 * 1024 * 1024;

/**
 * How many of the first items fit on a page of at most `limit`, at least one of them.
 */
export function countFitting<T>(items: readonly T[], limit: number, octetsOf: (item: T) => number): number {
  let octets = 0;
  for (const [index, item] of items.slice(0, limit).entries()) {
    octets += octetsOf(item);
    if (octets > MAX_PAGE_OCTETS) return Math.max(1, index);
  }
  return Math.min(limit, items.length);
}

/**
 * A page of a whole list, in the order of its keys.
 * @throws {MusterError} invalid_request
 */
export function pageOfAll<T>(
  items: readonly T[],
  {
    limit,
    cursor,
    shape,
    keyOf,
    octetsOf = () => 0,
  }: PageRequest & Readonly<{ shape: RegExp; keyOf: (item: T) => string; octetsOf?: (item: T) => number }>,
): Page<T> {
  const after = readCursor(cursor, shape) ?? '';
  const keyed = items.map((item) => ({ item, key: keyOf(item) })).filter(({ key }) => key > after);
  const rows = keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  const shown = countFitting(rows, limit, ({ item }) => octetsOf(item));
  return toPage(rows, { limit: shown, keyOf: ({ key }) => key, toItem: ({ item }) => item });
}

const TIME_KEY = /^(\d{1,15})_([a-z0-9]{8,32})$/;

/** The key of a row in a list that is newest first, and among rows of one moment by id. */
export function timeKey({ created_at, id }: Readonly<{ created_at: number; id: string }>): string {
  return `${created_at}_${id}`;
}

/** The row after which a page of such a list begins. @throws {MusterError} invalid_request */
export function readTimeCursor(cursor: string | undefined): Readonly<{ atMs: number; id: string }> | undefined {
  const [, atMs, id] = TIME_KEY.exec(readCursor(cursor, TIME_KEY) ?? '') ?? [];
  return atMs === undefined || id === undefined ? undefined : { atMs: Number(atMs), id };
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
