import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { InvocationView } from '../../../http/schemas.js';
import { approvalsQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { AskCard } from './ask-card.js';
import { Grants } from './grants.js';

/** So many cards at first, and more on demand. */
const STEP = 20;

/** What waits for a person with all that there is to know of it, and what needs none any more. */
export function ApprovalsPage() {
  const { data, error } = useQuery(approvalsQuery());
  const asks = useSeen(data?.items);
  const [shown, setShown] = useState(STEP);
  const waiting = new Set(data?.items.map(({ id }) => id));
  return (
    <>
      <header className="page-head">
        <h1>Approvals</h1>
        <p className="summary">{data !== undefined && countAsks(data.items.length, data.next_cursor !== null)}</p>
      </header>
      {error !== null && <FailureNote error={error} />}
      {data !== undefined && asks.length === 0 && <div className="empty">Nothing waits for an approval.</div>}
      {asks.slice(0, shown).map((ask) => (
        <AskCard key={ask.id} ask={ask} aheadMs={data?.aheadMs ?? 0} isWaiting={waiting.has(ask.id)} />
      ))}
      {asks.length > shown && (
        <button type="button" onClick={() => setShown(shown + STEP)}>
          Show {Math.min(STEP, asks.length - shown)} more
        </button>
      )}
      <Grants />
    </>
  );
}

function countAsks(count: number, hasMore: boolean): string {
  if (count === 0) return 'nothing waits';
  return `${count}${hasMore ? ' or more' : ''} ${count === 1 ? 'waits' : 'wait'}, the oldest first`;
}

/**
 * What has waited while the page is open, in its place also when it waits no more: nothing moves below a pointer, and
 * one sees what became of it.
 */
function useSeen(items: readonly InvocationView[] | undefined): readonly InvocationView[] {
  const [seen, setSeen] = useState<readonly InvocationView[]>([]);
  useEffect(() => {
    if (items === undefined) return;
    setSeen((before) => {
      const known = new Set(before.map(({ id }) => id));
      return [...before, ...items.filter(({ id }) => !known.has(id))];
    });
  }, [items]);
  return seen;
}
