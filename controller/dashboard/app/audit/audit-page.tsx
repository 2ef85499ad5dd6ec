import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { AuditView } from '../../../http/audit-schemas.js';
import { auditQuery } from '../api/queries.js';
import { useFilters } from '../parts/filters.js';
import { PagedList } from '../parts/paged-list.js';
import { AuditFilters, FILTERS } from './audit-filters.js';
import { AuditRow } from './audit-row.js';
import { RowDialog } from './row-dialog.js';
import { Verify } from './verify.js';

const ROW_PX = 40;

/** Who did what, the newest first, and whether the records still say so. */
export function AuditPage() {
  const [filters, setFilter] = useFilters(FILTERS);
  const query = useInfiniteQuery(auditQuery(filters));
  const [open, setOpen] = useState<AuditView>();
  return (
    <>
      <header className="page-head">
        <h1>Audit</h1>
        <span className="page-actions">
          <button type="button" disabled={query.isFetching} onClick={() => query.refetch()}>
            Look for newer rows
          </button>
        </span>
      </header>
      <Verify />
      <AuditFilters filters={filters} onChange={setFilter} />
      <PagedList
        query={query}
        label="Audit"
        rowPx={ROW_PX}
        keyOf={({ seq }) => String(seq)}
        empty={
          Object.keys(filters).length > 0
            ? 'Nothing of that kind was done. Take a filter away.'
            : 'Nothing was done yet.'
        }
        renderRow={(row) => <AuditRow row={row} onOpen={setOpen} />}
      />
      {open !== undefined && <RowDialog row={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}
