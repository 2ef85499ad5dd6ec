import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearch } from 'wouter';
import type { ExecutionStatus, InvocationView } from '../../../http/schemas.js';
import { EXECUTION_STATUSES } from '../../../http/statuses.js';
import { executionsQuery } from '../api/queries.js';
import { useFilters } from '../parts/filters.js';
import { PagedList } from '../parts/paged-list.js';
import { ExecutionDetail } from './execution-detail.js';
import { ExecutionGroups } from './execution-groups.js';
import { ExecutionRow } from './execution-row.js';

/** Of more nodes than this one first sees like ends together. */
const FEW_NODES = 20;
const ROW_PX = 52;
const FILTERS = ['node', 'status', 'view'] as const;

/** What became of an ask on its nodes: like ones together, one by one, or one of them; `only` where it is but one. */
export function Executions({ invocation, only }: { invocation: InvocationView; only: string | undefined }) {
  const { id, counts, status: state } = invocation;
  const [filters, setFilter] = useFilters(FILTERS);
  const node = filters.node ?? only;
  const hrefOf = useHrefOf(id);
  if (node !== undefined) {
    return (
      <>
        {counts.total > 1 && (
          <p className="crumbs">
            <Link href={hrefOf('')}>← All executions</Link>
          </p>
        )}
        <ExecutionDetail key={node} id={id} node={node} />
      </>
    );
  }
  if (counts.total === 0) {
    return (
      <p className="empty">{state === 'pending' ? 'No node is asked before it is approved.' : 'No node was asked.'}</p>
    );
  }
  const view = filters.view ?? (counts.total > FEW_NODES ? 'groups' : 'list');
  return (
    <div className="executions">
      <h2>Executions</h2>
      <div className="filters">
        <Counts counts={counts} picked={filters.status ?? ''} onPick={(status) => setFilter('status', status)} />
        <fieldset className="toggles">
          <legend>Shown</legend>
          <button type="button" aria-pressed={view === 'groups'} onClick={() => setFilter('view', 'groups')}>
            like ones together
          </button>
          <button type="button" aria-pressed={view !== 'groups'} onClick={() => setFilter('view', 'list')}>
            one by one
          </button>
        </fieldset>
      </div>
      {view === 'groups' ? (
        <ExecutionGroups id={id} status={filters.status} hrefOf={hrefOf} />
      ) : (
        <ExecutionList id={id} status={filters.status} hrefOf={hrefOf} />
      )}
    </div>
  );
}

/** The address of what became of it on one node, or on all; what else stands in the address stays. */
function useHrefOf(id: string): (node: string) => string {
  const search = useSearch();
  return (node) => {
    const params = new URLSearchParams(search);
    if (node === '') params.delete('node');
    else params.set('node', node);
    return `/invocations/${id}${params.size === 0 ? '' : `?${params}`}`;
  };
}

function Counts({
  counts,
  picked,
  onPick,
}: {
  counts: InvocationView['counts'];
  picked: string;
  onPick: (status: ExecutionStatus | '') => void;
}) {
  const some = EXECUTION_STATUSES.filter((status) => counts[status] > 0 || status === picked);
  return (
    <fieldset className="toggles">
      <legend>State</legend>
      <button type="button" aria-pressed={picked === ''} onClick={() => onPick('')}>
        all {counts.total}
      </button>
      {some.map((status) => (
        <button
          key={status}
          type="button"
          aria-pressed={picked === status}
          onClick={() => onPick(status === picked ? '' : status)}
        >
          {status} {counts[status]}
        </button>
      ))}
    </fieldset>
  );
}

function ExecutionList({
  id,
  status,
  hrefOf,
}: {
  id: string;
  status: string | undefined;
  hrefOf: (node: string) => string;
}) {
  const query = useInfiniteQuery(executionsQuery(id, { status }));
  return (
    <PagedList
      query={query}
      label="Executions"
      rowPx={ROW_PX}
      keyOf={({ node }) => node}
      empty="No execution is in this state."
      renderRow={(execution) => <ExecutionRow execution={execution} href={hrefOf(execution.node)} />}
    />
  );
}
