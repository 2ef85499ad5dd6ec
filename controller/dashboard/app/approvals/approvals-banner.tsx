import { useQuery } from '@tanstack/react-query';
import { Link, useLocation } from 'wouter';
import { approvalsQuery } from '../api/queries.js';
import { BannerAsk } from './banner-ask.js';
import { NewAsks } from './new-asks.js';

/** On every page: the first ask that waits for a person, and how many more do. Where all of them are shown, nothing. */
export function ApprovalsBanner() {
  const { data } = useQuery(approvalsQuery());
  const [location] = useLocation();
  const [first, ...others] = data?.items ?? [];
  return (
    <>
      <NewAsks asks={data?.items} />
      {data !== undefined && first !== undefined && location !== '/approvals' && (
        <section className="approvals-banner" aria-label="Waits for an approval">
          <BannerAsk key={first.id} ask={first} aheadMs={data.aheadMs} />
          {others.length > 0 && (
            <Link href="/approvals" className="more">
              and {others.length}
              {data.next_cursor !== null && ' or more'} more
            </Link>
          )}
        </section>
      )}
    </>
  );
}
