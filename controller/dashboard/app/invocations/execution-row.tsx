import { Link } from 'wouter';
import type { ExecutionView } from '../../../http/schemas.js';
import { Status } from '../parts/status.js';
import { durationOf, exitInWords, notesOf } from './words.js';

/** What became of it on one node, in one line; `href` leads to all there is to say. */
export function ExecutionRow({ execution, href }: { execution: ExecutionView; href: string }) {
  const { node, status, exit_code } = execution;
  return (
    <article className="execution-row" aria-label={`${node}, ${status}`}>
      <Link href={`/nodes/${node}`} className="name">
        {node}
      </Link>
      <span>
        <Status of={status} />
      </span>
      <span className="exit">{exitInWords(exit_code)}</span>
      <span className="duration">{durationOf(execution)}</span>
      <span className="notes">
        <bdi>{notesOf(execution).join('; ')}</bdi>
      </span>
      <Link href={href} aria-label={`Output and details of ${node}`}>
        Output
      </Link>
    </article>
  );
}
