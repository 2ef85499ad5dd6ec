import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { Link } from 'wouter';
import { escapeText } from '../../../../runtime/terminal-text.js';
import type { InvocationView } from '../../../http/schemas.js';
import { invocationQuery } from '../api/queries.js';
import { Actor } from '../parts/actor.js';
import { Status } from '../parts/status.js';
import { placeInWords } from '../parts/words.js';
import { useIsAdmin } from '../session/session.js';
import { AskFacts } from './ask-facts.js';
import { Countdown, useIsOver } from './countdown.js';
import { DecisionForm } from './decision-form.js';

/** One ask with all that there is to decide by; when it waits no more, what became of it. */
export function AskCard({ ask, aheadMs, isWaiting }: { ask: InvocationView; aheadMs: number; isWaiting: boolean }) {
  const headId = useId();
  const end = { at: ask.expires_at, aheadMs };
  const isOver = useIsOver(end);
  const mayApprove = useIsAdmin();
  return (
    <article className="card ask" aria-labelledby={headId}>
      <header>
        <h2 id={headId}>
          <Link href={`/invocations/${ask.id}`}>{ask.action}</Link> on {placeInWords(ask)}
        </h2>
        {isWaiting && <Countdown end={end} />}
      </header>
      <AskFacts ask={ask} />
      {!isWaiting && <Fate id={ask.id} />}
      {isWaiting && mayApprove && <DecisionForm ask={ask} isOver={isOver} />}
      {isWaiting && !mayApprove && <p className="hint">It waits for an admin or an owner.</p>}
    </article>
  );
}

/** What became of an ask that waits no more. */
function Fate({ id }: { id: string }) {
  const { data } = useQuery(invocationQuery(id));
  if (data === undefined)
    return (
      <p role="status" className="fate">
        It waits no more.
      </p>
    );
  const { status, approved_by, error } = data.invocation;
  return (
    <p role="status" className="fate">
      It waits no more: <Status of={status} />
      {approved_by !== null && (
        <>
          {' '}
          approved by <Actor id={approved_by} />
        </>
      )}
      {error !== null && ` (${escapeText(error)})`}
    </p>
  );
}
