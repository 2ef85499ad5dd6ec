import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { approvalsQuery } from '../api/queries.js';

/** What waits for a person. */
export function ApprovalsPage() {
  const { data } = useQuery(approvalsQuery());
  return (
    <>
      <h1>Approvals</h1>
      <ul>
        {data?.items.map(({ id, action }) => (
          <li key={id}>
            <Link href={`/invocations/${id}`}>{action}</Link>
          </li>
        ))}
      </ul>
    </>
  );
}
