import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { escapeOutput } from '../../../../runtime/terminal-text.js';
import type { InvocationAnswer } from '../../../http/schemas.js';
import { invocationQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Status } from '../parts/status.js';
import { CancelButton } from './cancel-button.js';
import { Executions } from './executions.js';
import { InvocationFacts } from './invocation-facts.js';
import { Timeline } from './timeline.js';
import { countsInWords } from './words.js';

/** One ask, from the first word to what came of it. */
export function InvocationPage() {
  const { id = '' } = useParams();
  const { data, error } = useQuery(invocationQuery(id));
  if (data === undefined && error !== null) return <FailureNote error={error} />;
  if (data === undefined) return <p className="waiting">Loading …</p>;
  const { invocation, executions } = data;
  const only = invocation.counts.total === 1 ? executions?.[0] : undefined;
  return (
    <>
      <header className="page-head">
        <h1>{invocation.action}</h1>
        <Status of={invocation.status} />
        <p className="summary">{countsInWords(invocation.counts)}</p>
        <span className="page-actions">
          <CancelButton invocation={invocation} />
        </span>
      </header>
      {error !== null && <FailureNote error={error} />}
      <div className="invocation-columns">
        <div className="invocation-facts">
          <InvocationFacts invocation={invocation} />
          <Timeline invocation={invocation} only={only} />
        </div>
        <div className="invocation-outcome">
          {'integration' in invocation.target ? (
            <IntegrationResult answer={data} />
          ) : (
            <Executions key={invocation.id} invocation={invocation} only={only?.node} />
          )}
        </div>
      </div>
    </>
  );
}

function IntegrationResult({ answer: { result, result_truncated } }: { answer: InvocationAnswer }) {
  return (
    <section className="card" aria-labelledby="result">
      <h2 id="result">Result</h2>
      {result === undefined ? (
        <p className="hint">The integration has answered nothing yet, or nothing that is kept.</p>
      ) : (
        <pre className="json">{escapeOutput(JSON.stringify(result, undefined, 2))}</pre>
      )}
      {result_truncated === true && <p className="hint">There was more than is kept.</p>}
    </section>
  );
}
