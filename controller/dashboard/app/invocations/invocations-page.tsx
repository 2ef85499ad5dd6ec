import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import type { InvocationView } from '../../../http/schemas.js';
import { invocationsQuery } from '../api/queries.js';
import { useFilters } from '../parts/filters.js';
import { Ago } from '../parts/moment.js';
import { PagedList } from '../parts/paged-list.js';
import { Status } from '../parts/status.js';
import { placeInWords, RISK_WORDS } from '../parts/words.js';
import { InvocationFilters, sinceTime } from './invocation-filters.js';
import { Asker } from './who.js';
import { countsInWords } from './words.js';

const ROW_PX = 48;
const FILTERS = ['status', 'action', 'node', 'since'] as const;

/** What was asked, the newest first. */
export function InvocationsPage() {
  const [filters, setFilter] = useFilters(FILTERS);
  const { since = '', ...rest } = filters;
  const sinceAt = useMemo(() => sinceTime(since, new Date()), [since]); // it must not move with each drawing
  const query = useInfiniteQuery(invocationsQuery({ ...rest, since: sinceAt }));
  const isFiltered = Object.keys(filters).length > 0;
  return (
    <>
      <h1>Invocations</h1>
      <InvocationFilters filters={filters} onChange={setFilter} />
      <PagedList
        query={query}
        label="Invocations"
        rowPx={ROW_PX}
        keyOf={({ id }) => id}
        empty={isFiltered ? 'Nothing that was asked is like that. Take a filter away.' : 'Nothing has been asked yet.'}
        renderRow={(invocation) => <InvocationRow invocation={invocation} />}
      />
    </>
  );
}

function InvocationRow({ invocation }: { invocation: InvocationView }) {
  const { id, action, status, counts, risk, created_at, created_by } = invocation;
  return (
    <article className="invocation-row" aria-label={`${action}, ${status}`}>
      <Link href={`/invocations/${id}`} className="name">
        {action}
      </Link>
      <span className="target">{placeInWords(invocation)}</span>
      <span>
        <Status of={status} />
      </span>
      <span className="counts">{countsInWords(counts)}</span>
      <span className="danger-of">{RISK_WORDS[risk]}</span>
      <span className="who">
        <Asker id={created_by} />
      </span>
      <span className="when">
        <Ago at={created_at} />
      </span>
    </article>
  );
}
