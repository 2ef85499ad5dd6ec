import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import type { ExecutionGroupView } from '../../../http/list-schemas.js';
import { groupedQuery } from '../api/queries.js';
import { AnsiText } from '../parts/ansi-text.js';
import { FailureNote } from '../parts/failure-note.js';
import { Status } from '../parts/status.js';
import { countNodes } from '../parts/words.js';
import { exitInWords, notesOf } from './words.js';

const STREAMS = ['stdout', 'stderr'] as const;

/** Executions that ended alike and printed the same, once each, with the nodes they are of. */
export function ExecutionGroups({
  id,
  status,
  hrefOf,
}: {
  id: string;
  status: string | undefined;
  hrefOf: (node: string) => string;
}) {
  const { data, error } = useQuery(groupedQuery(id, { status }));
  if (data === undefined) return error === null ? <p className="waiting">Loading …</p> : <FailureNote error={error} />;
  if (data.items.length === 0) return <p className="empty">No execution is in this state.</p>;
  return (
    <>
      {data.items.map((group) => (
        <Group key={keyOf(group)} group={group} hrefOf={hrefOf} />
      ))}
      {data.next_cursor !== null && (
        <p className="hint">There are more kinds of results than these: look at them one by one.</p>
      )}
    </>
  );
}

function keyOf({ status, reason, exit_code, error_code, output_sha256 }: ExecutionGroupView): string {
  return [status, reason, exit_code, error_code, output_sha256].join(' ');
}

function Group({ group, hrefOf }: { group: ExecutionGroupView; hrefOf: (node: string) => string }) {
  const { count, status, exit_code, sample, nodes } = group;
  const more = count - nodes.length;
  return (
    <article className="card" aria-label={`${countNodes(count)}, ${status}`}>
      <p className="group-head">
        <strong>{countNodes(count)}</strong> <Status of={status} /> {exitInWords(exit_code)}{' '}
        <bdi className="notes">{notesOf(sample).join('; ')}</bdi>
      </p>
      <p className="group-nodes">
        {nodes.map((node) => (
          <Link key={node} href={hrefOf(node)}>
            {node}
          </Link>
        ))}
        {more > 0 && <span>and {more} more</span>}
      </p>
      {STREAMS.map((stream) => (
        <Sample key={stream} group={group} stream={stream} />
      ))}
    </article>
  );
}

function Sample({ group: { sample }, stream }: { group: ExecutionGroupView; stream: (typeof STREAMS)[number] }) {
  const text = sample[stream];
  const bytes = sample[`${stream}_bytes`] ?? 0;
  if (text === null || bytes === 0) return null;
  if (sample[`${stream}_encoding`] === 'base64') {
    return (
      <p className="hint">
        {stream}: {bytes} bytes that are not text
      </p>
    );
  }
  const isWhole = new TextEncoder().encode(text).length >= bytes;
  return (
    <figure className="sample">
      <figcaption>
        {stream}
        {!isWhole && ', the first of it'}
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard */}
      <section className="terminal small" aria-label={`${stream} of ${sample.node}`} tabIndex={0}>
        <AnsiText text={text} />
      </section>
    </figure>
  );
}
