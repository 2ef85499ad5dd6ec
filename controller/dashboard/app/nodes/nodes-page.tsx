import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { groupsQuery, nodesQuery, summaryQuery } from '../api/queries.js';
import { useFilters } from '../parts/filters.js';
import { PagedList } from '../parts/paged-list.js';
import { RunDialog } from '../run/run-dialog.js';
import { useMayAsk } from '../session/session.js';
import { ActionsDialog } from './actions-dialog.js';
import { NodeCard } from './node-card.js';

const ROW_PX = 64;
const FILTERS = ['q', 'state', 'group'] as const;

/** The fleet: who is there, who is away, and what one may do with them. */
export function NodesPage() {
  const [filters, setFilter] = useFilters(FILTERS);
  const query = useInfiniteQuery(nodesQuery(filters));
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [acting, setActing] = useState<string>();
  const [isRunning, setRunning] = useState(false);
  const mayAsk = useMayAsk();
  const toggle = (node: string): void => {
    setPicked((before) => {
      const after = new Set(before);
      if (!after.delete(node)) after.add(node);
      return after;
    });
  };
  return (
    <>
      <header className="page-head">
        <h1>Nodes</h1>
        <Summary />
        {mayAsk && (
          <span className="page-actions">
            {picked.size > 0 && (
              <button type="button" className="link" onClick={() => setPicked(new Set())}>
                Unpick {picked.size}
              </button>
            )}
            <button type="button" className="primary" onClick={() => setRunning(true)}>
              {picked.size === 0 ? 'Run an action …' : `Run on ${picked.size} picked …`}
            </button>
          </span>
        )}
      </header>
      <Filters filters={filters} onChange={setFilter} />
      <PagedList
        query={query}
        label="Nodes"
        rowPx={ROW_PX}
        keyOf={({ node }) => node}
        empty={<EmptyFleet isFiltered={Object.keys(filters).length > 0} />}
        renderRow={(node) => (
          <NodeCard node={node} isPicked={picked.has(node.node)} onPick={toggle} onActions={setActing} />
        )}
      />
      {acting !== undefined && <ActionsDialog node={acting} onClose={() => setActing(undefined)} />}
      {isRunning && (
        <RunDialog
          target={picked.size === 0 ? undefined : { nodes: [...picked].sort() }}
          onClose={() => setRunning(false)}
        />
      )}
    </>
  );
}

function Summary() {
  const { data } = useQuery(summaryQuery());
  if (data === undefined) return null;
  const away = data.offline + data.never_seen;
  return (
    <p className="summary">
      {data.total} in all, {data.online} online, {away} away
    </p>
  );
}

function Filters({
  filters,
  onChange,
}: {
  filters: Readonly<Partial<Record<(typeof FILTERS)[number], string>>>;
  onChange: (name: (typeof FILTERS)[number], value: string) => void;
}) {
  const { data: groups } = useQuery(groupsQuery());
  return (
    <search className="filters">
      <label>
        Search
        <input
          type="search"
          placeholder="part of a name"
          maxLength={63}
          value={filters.q ?? ''}
          onChange={({ target }) => onChange('q', target.value)}
        />
      </label>
      <label>
        State
        <select value={filters.state ?? ''} onChange={({ target }) => onChange('state', target.value)}>
          <option value="">all</option>
          <option value="online">online</option>
          <option value="offline">offline</option>
          <option value="never_seen">never seen</option>
        </select>
      </label>
      <label>
        Group
        <select value={filters.group ?? ''} onChange={({ target }) => onChange('group', target.value)}>
          <option value="">all</option>
          {groups?.items.map(({ group, nodes }) => (
            <option key={group} value={group}>
              {group} ({nodes})
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

function EmptyFleet({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return <p>No node is like that. Take a filter away.</p>;
  return (
    <>
      <p>There is no node yet. Make a token, and start an agent with it on a device:</p>
      <pre>{`npx muster enroll-token create
MUSTER_AGENT_ENROLL_TOKEN=… npx muster agent --enroll=${new URL('.', document.baseURI).href}`}</pre>
    </>
  );
}
