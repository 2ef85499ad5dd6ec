import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { approvalsQuery } from '../api/queries.js';

/** On every page: how much waits for a person. */
export function ApprovalsBanner() {
  const { data } = useQuery(approvalsQuery());
  const count = data?.items.length ?? 0;
  return (
    <div role="status" className="approvals-banner" hidden={count === 0}>
      {count > 0 && (
        <Link href="/approvals">
          {count === 1 ? '1 ask waits for an approval' : `${count} asks wait for an approval`}
        </Link>
      )}
    </div>
  );
}
