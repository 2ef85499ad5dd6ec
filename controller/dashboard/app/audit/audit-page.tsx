import { useInfiniteQuery } from '@tanstack/react-query';
import { auditQuery } from '../api/queries.js';
import { PagedList } from '../parts/paged-list.js';

const ROW_PX = 36;

/** Who did what. */
export function AuditPage() {
  const query = useInfiniteQuery(auditQuery({}));
  return (
    <>
      <h1>Audit</h1>
      <PagedList
        query={query}
        label="Audit"
        rowPx={ROW_PX}
        keyOf={({ seq }) => String(seq)}
        empty="Nothing has happened yet."
        renderRow={({ actor, event, subject }) => (
          <p>
            {actor} {event} {subject}
          </p>
        )}
      />
    </>
  );
}
