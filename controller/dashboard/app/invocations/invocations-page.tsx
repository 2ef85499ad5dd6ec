import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { invocationsQuery } from '../api/queries.js';
import { Ago } from '../parts/moment.js';
import { PagedList } from '../parts/paged-list.js';
import { Status } from '../parts/status.js';

const ROW_PX = 48;

/** What was asked, the newest first. */
export function InvocationsPage() {
  const query = useInfiniteQuery(invocationsQuery({}));
  return (
    <>
      <h1>Invocations</h1>
      <PagedList
        query={query}
        label="Invocations"
        rowPx={ROW_PX}
        keyOf={({ id }) => id}
        empty="Nothing has been asked yet."
        renderRow={({ id, action, status, created_at }) => (
          <p>
            <Link href={`/invocations/${id}`}>{action}</Link> <Status of={status} /> <Ago at={created_at} />
          </p>
        )}
      />
    </>
  );
}
