/** The items by key, each group in the order in which its items stood. */
export function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** The items in order, at most `size` at a time: a statement and a transaction have an end. */
export function* slicesOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/**
 * The items in order, in slices of 1, 2, 4 … at most `most` of them, the longest first: statements that take a row for
 * each then have few texts, each of which is prepared once and kept.
 */
export function* fewSizesOf<T>(items: readonly T[], most: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; ) {
    const size = 2 ** Math.floor(Math.log2(Math.min(items.length - at, most)));
    yield items.slice(at, at + size);
    at += size;
  }
}

/** The items, the last one repeated until there are 1, 2, 4 … of them, for a list in which a repetition says nothing new. */
export function padded<T>(items: readonly T[]): readonly T[] {
  const last = items.at(-1);
  if (last === undefined) return items;
  const missing = 2 ** Math.ceil(Math.log2(items.length)) - items.length;
  return missing === 0 ? items : [...items, ...Array.from({ length: missing }, () => last)];
}
