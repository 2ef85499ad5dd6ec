import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { approvalsQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { AskCard } from './ask-card.js';
import { Grants } from './grants.js';
import { type SeenAsk, useSeenAsks } from './seen-asks.js';

/** So many that wait are shown at first, and more on demand. */
const STEP = 20;

/** What waits for a person with all that there is to know of it, and what needs none any more. */
export function ApprovalsPage() {
  const { data, error } = useQuery(approvalsQuery());
  const { seen, putAway } = useSeenAsks(data?.items);
  const [limit, setLimit] = useState(STEP);
  const shown = firstOf(seen, limit);
  const hasEnded = seen.some(({ isWaiting }) => !isWaiting);
  return (
    <>
      <header className="page-head">
        <h1>Approvals</h1>
        <p className="summary">{data !== undefined && countAsks(data.items.length, data.next_cursor !== null)}</p>
        {hasEnded && (
          <span className="page-actions">
            <button type="button" onClick={putAway}>
              Put away what waits no more
            </button>
          </span>
        )}
      </header>
      {error !== null && <FailureNote error={error} />}
      {data !== undefined && seen.length === 0 && <div className="empty">Nothing waits for an approval.</div>}
      {shown.map(({ ask, isWaiting }) => (
        <AskCard key={ask.id} ask={ask} aheadMs={data?.aheadMs ?? 0} isWaiting={isWaiting} />
      ))}
      {shown.length < seen.length && (
        <button type="button" onClick={() => setLimit(limit + STEP)}>
          Show {Math.min(STEP, seen.length - shown.length)} more
        </button>
      )}
      <Grants />
    </>
  );
}

/** As far as so many that wait. */
function firstOf(seen: readonly SeenAsk[], limit: number): readonly SeenAsk[] {
  let left = limit;
  return seen.filter(({ isWaiting }) => !isWaiting || left-- > 0);
}

function countAsks(count: number, hasMore: boolean): string {
  if (count === 0) return 'nothing waits';
  return `${count}${hasMore ? ' or more' : ''} ${count === 1 ? 'waits' : 'wait'}, the oldest first`;
}
