import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { invocationQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Status } from '../parts/status.js';

/** One ask, from the first word to what came of it. */
export function InvocationPage() {
  const { id = '' } = useParams();
  const { data, error } = useQuery(invocationQuery(id));
  if (error !== null) return <FailureNote error={error} />;
  if (data === undefined) return <p className="waiting">Loading …</p>;
  return (
    <h1>
      {data.invocation.action} <Status of={data.invocation.status} />
    </h1>
  );
}
