import type { ReactNode } from 'react';
import type { ExecutionView, InvocationView } from '../../../http/schemas.js';
import { Moment } from '../parts/moment.js';
import { Approver, Asker } from './who.js';
import { durationInWords } from './words.js';

/** What happened when; `at` is null for what is going on now. */
type Step = Readonly<{ what: string; who?: ReactNode; at: string | null; note?: string }>;

/** From the ask to its end; with what one node did, where it is only one. */
export function Timeline({ invocation, only }: { invocation: InvocationView; only: ExecutionView | undefined }) {
  const steps = toSteps(invocation, only);
  return (
    <section className="card" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <ol className="timeline">
        {steps.map(({ what, who, at, note }) => (
          <li key={what} className={at === null ? 'now' : 'past'} aria-current={at === null ? 'step' : undefined}>
            <span className="what">{what}</span> {who !== undefined && <>by {who}</>}{' '}
            <span className="when">{at === null ? 'now' : <Moment at={at} />}</span>
            {note !== undefined && <span className="note">{note}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}

function toSteps(invocation: InvocationView, only: ExecutionView | undefined): Step[] {
  const { created_at, created_by, approved_at, approved_by, cancel_requested_at, cancel_requested_by, batch } =
    invocation;
  const { completed_at, status, duration_ms } = invocation;
  const past: Step[] = [
    { what: 'asked', who: <Asker id={created_by} />, at: created_at },
    { what: 'approved', who: <Approver id={approved_by ?? 'nobody'} />, at: approved_at },
    { what: 'sent to the node', at: only?.sent_at ?? null },
    { what: 'accepted by the node', at: only?.accepted_at ?? null },
    { what: 'finished on the node', at: only?.finished_at ?? null },
    { what: 'batches stopped', at: batch?.stopped_at ?? null },
    { what: 'asked to end', who: <Asker id={cancel_requested_by ?? 'nobody'} />, at: cancel_requested_at },
  ].filter(({ at }) => at !== null);
  // Clocks of nodes may be off; what is told of one node stands between what the controller saw before and after.
  const end: Step =
    completed_at === null
      ? { what: nowInWords(status), at: null, ...latest(invocation) }
      : {
          what: status,
          at: completed_at,
          ...(duration_ms === null ? {} : { note: `${durationInWords(duration_ms)} after the approval` }),
        };
  return [...past, end];
}

function nowInWords(status: InvocationView['status']): string {
  if (status === 'pending') return 'waits for an approval';
  return status === 'approved' ? 'waits for its nodes' : status;
}

function latest({ status, expires_at }: InvocationView): Pick<Step, 'note'> {
  if (status !== 'pending' && status !== 'approved') return {};
  return { note: `until ${new Date(expires_at).toLocaleString()}` };
}
