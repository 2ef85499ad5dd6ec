import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { nodeQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Status } from '../parts/status.js';

/** One node: what it is, what it offers, and what was asked of it. */
export function NodePage() {
  const { node = '' } = useParams();
  const { data, error } = useQuery(nodeQuery(node));
  if (error !== null) return <FailureNote error={error} />;
  if (data === undefined) return <p className="waiting">Loading …</p>;
  return (
    <h1>
      {data.node} <Status of={data.state} />
    </h1>
  );
}
