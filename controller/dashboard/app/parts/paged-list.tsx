import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useEffect, useRef } from 'react';
import type { Page } from '../api/queries.js';
import { FailureNote } from './failure-note.js';

/** So many rows before the end the next page is asked for. */
const AHEAD = 40;

/**
 * A list that is read page by page as one scrolls, and of which only what is seen is in the document: a hundred thousand
 * rows cost what thirty do. `renderRow` gives the inside of a row, `rowPx` its height.
 */
export function PagedList<T>({
  query: { data, error, hasNextPage, isFetching, isPending, fetchNextPage, refetch },
  ...shape
}: {
  query: UseInfiniteQueryResult<InfiniteData<Page<T>>>;
  label: string;
  /** What stands there when there is nothing. */
  empty: ReactNode;
  rowPx: number;
  keyOf: (item: T) => string;
  renderRow: (item: T) => ReactNode;
}) {
  const { label, empty, rowPx, keyOf, renderRow } = shape;
  const items = data?.pages.flatMap((page) => page.items) ?? [];
  const scrollRef = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualizer({
    count: items.length,
    getScrollElement: () => scrollRef.current,
    estimateSize: () => rowPx,
    overscan: 8,
  });
  const rows = virtualizer.getVirtualItems();
  const lastSeen = rows.at(-1)?.index ?? 0;
  // Not while the pages that are there are read anew: each of the two would end the other.
  const mayFetch = hasNextPage && !isFetching && error === null;
  useEffect(() => {
    if (mayFetch && lastSeen >= items.length - AHEAD) fetchNextPage();
  }, [mayFetch, lastSeen, items.length, fetchNextPage]);

  if (error !== null && items.length === 0) return <FailureNote error={error} />;
  if (isPending) return <p className="waiting">Loading …</p>;
  if (items.length === 0 && hasNextPage) return <p className="waiting">Looking further …</p>;
  if (items.length === 0) return <div className="empty">{empty}</div>;
  return (
    <>
      {error !== null && <StaleNote error={error} onRetry={refetch} />}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <section className="paged-list" ref={scrollRef} aria-label={label} tabIndex={0}>
        <ul style={{ height: virtualizer.getTotalSize() }}>
          {rows.map(({ index, start }) => {
            const item = items[index];
            if (item === undefined) return null;
            return (
              <li
                key={keyOf(item)}
                aria-setsize={hasNextPage ? -1 : items.length}
                aria-posinset={index + 1}
                style={{ height: rowPx, transform: `translateY(${start}px)` }}
              >
                {renderRow(item)}
              </li>
            );
          })}
        </ul>
      </section>
    </>
  );
}

/** The rows are those of before, or not all that there are. */
function StaleNote({ error, onRetry }: { error: Error; onRetry: () => void }) {
  return (
    <div>
      <FailureNote error={error} />
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
