import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { InvocationView } from '../../../http/schemas.js';
import { type Filter, nodesQuery } from '../api/queries.js';
import { countNodes } from '../parts/words.js';

/** So many names stand there. */
const NAMED = 20;

/** How many nodes an ask is for, and the names of the first. */
export function TargetNodes({ ask: { target, nodes } }: { ask: InvocationView }) {
  if ('integration' in target) return `the integration ${target.integration}, and no node`;
  return (
    <>
      {countNodes(nodes)}:{' '}
      {'nodes' in target ? (
        <Names names={target.nodes} count={nodes} />
      ) : (
        <Members filter={filterOf(target)} count={nodes} />
      )}
    </>
  );
}

type Wide = Exclude<InvocationView['target'], { nodes: unknown } | { integration: unknown }>;

/** The nodes that a target selects, as the list of nodes is narrowed to them. */
function filterOf(target: Wide): Filter {
  if ('group' in target) return { group: target.group };
  if ('labels' in target) return { label: Object.entries(target.labels).map(([key, value]) => `${key}=${value}`) };
  return {};
}

function Members({ filter, count }: { filter: Filter; count: number }) {
  const { data } = useInfiniteQuery(nodesQuery({ ...filter, limit: String(NAMED) }));
  return <Names names={data?.pages[0]?.items.map(({ node }) => node) ?? []} count={count} />;
}

function Names({ names, count }: { names: readonly string[]; count: number }) {
  const shown = names.slice(0, NAMED);
  return (
    <>
      {shown.map((node, index) => (
        <span key={node}>
          {index > 0 && ', '}
          <Link href={`/nodes/${node}`}>{node}</Link>
        </span>
      ))}
      {count > shown.length && ` and ${count - shown.length} more`}
    </>
  );
}
