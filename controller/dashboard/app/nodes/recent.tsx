import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { recentQuery } from '../api/queries.js';
import { Ago } from '../parts/moment.js';
import { Status } from '../parts/status.js';

/** What was asked of a node lately. */
export function Recent({ node }: { node: string }) {
  const { data } = useQuery(recentQuery(node));
  return (
    <section className="card">
      <h2>Asked lately</h2>
      {data?.items.length === 0 && <p className="hint">Nothing yet.</p>}
      <ul className="plain">
        {data?.items.map(({ id, action, status, created_at, created_by }) => (
          <li key={id}>
            <Link href={`/invocations/${id}`}>{action}</Link> <Status of={status} /> <Ago at={created_at} /> by{' '}
            {created_by}
          </li>
        ))}
      </ul>
      <Link href={`/invocations?node=${node}`}>All of them</Link>
    </section>
  );
}
