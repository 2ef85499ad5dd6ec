import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { ExecutionView } from '../../../http/schemas.js';
import { executionQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Moment } from '../parts/moment.js';
import { Status } from '../parts/status.js';
import { Fact } from './invocation-facts.js';
import { OutputPanel } from './output-panel.js';
import { durationOf, evidenceInWords, exitInWords, notesOf } from './words.js';

/** All there is to say of what became of an ask on one node, and what it printed there. */
export function ExecutionDetail({ id, node }: { id: string; node: string }) {
  const { data, error } = useQuery(executionQuery(id, node));
  if (data === undefined) return error === null ? <p className="waiting">Loading …</p> : <FailureNote error={error} />;
  const ends = [exitInWords(data.exit_code), durationOf(data)].filter((part) => part !== '');
  return (
    <section className="execution-detail" aria-labelledby="execution">
      <h2 id="execution">
        On <Link href={`/nodes/${node}`}>{node}</Link>
      </h2>
      <p className="group-head">
        <Status of={data.status} /> {ends.join(', ')}
      </p>
      <Notes execution={data} />
      {data.violation !== null && <ViolationNote violation={data.violation} />}
      {hasBegun(data) ? (
        <>
          <OutputPanel execution={data} stream="stdout" />
          <OutputPanel execution={data} stream="stderr" />
        </>
      ) : (
        <p className="empty">Nothing printed: the node has not begun.</p>
      )}
      <Times execution={data} />
    </section>
  );
}

function hasBegun({ accepted_at, received_at, stdout, stderr }: ExecutionView): boolean {
  return accepted_at !== null || received_at !== null || stdout !== null || stderr !== null;
}

function Notes({ execution }: { execution: ExecutionView }) {
  const notes = notesOf(execution);
  if (notes.length === 0) return null;
  return (
    <ul className="notes">
      {notes.map((note) => (
        <li key={note}>
          <bdi>{note}</bdi>
        </li>
      ))}
    </ul>
  );
}

function ViolationNote({ violation }: { violation: NonNullable<ExecutionView['violation']> }) {
  const { type, path, expected, actual, detail, timestamp } = violation;
  return (
    <div className="warning" role="note">
      <p>
        The node found another {type} than was asked for: <bdi>{escapeText(detail)}</bdi>
      </p>
      <dl className="pairs">
        <Fact name="File">
          <code>
            <bdi>{escapeText(path)}</bdi>
          </code>
        </Fact>
        <Fact name="Expected">
          <code>{expected}</code>
        </Fact>
        <Fact name="Found">
          <code>{actual}</code>
        </Fact>
        <Fact name="When">
          <Moment at={timestamp} />
        </Fact>
      </dl>
    </div>
  );
}

function Times({ execution }: { execution: ExecutionView }) {
  const { sent_at, accepted_at, finished_at, received_at, evidence, batch, request_sha256, execution_id } = execution;
  const times = [
    ['Sent', sent_at],
    ['Accepted', accepted_at],
    ['Finished', finished_at],
    ['Result stored', received_at],
  ] as const;
  return (
    <dl className="pairs">
      {times.map(([name, at]) => (
        <Fact key={name} name={name}>
          <Moment at={at} fallback="not yet" />
        </Fact>
      ))}
      {evidence !== null && <Fact name="Evidence">{evidenceInWords(evidence)}</Fact>}
      {batch !== null && <Fact name="Batch">{batch}</Fact>}
      {request_sha256 !== null && (
        <Fact name="Request">
          <code>{request_sha256}</code>
        </Fact>
      )}
      <Fact name="Execution">
        <code>{execution_id}</code>
      </Fact>
    </dl>
  );
}
