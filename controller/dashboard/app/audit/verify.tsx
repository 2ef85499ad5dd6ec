import { useQuery } from '@tanstack/react-query';
import type { VerifyReport } from '../../../verify/findings.js';
import { call } from '../api/client.js';
import { FailureNote } from '../parts/failure-note.js';
import { Moment } from '../parts/moment.js';

/** A store with millions of results takes a while. */
const WAIT_MS = 3_600_000;
/** So many findings stand there; all of them are what `muster verify` prints. */
const SHOWN = 50;

/** Holds the records against the promises when somebody asks for it; leaving the page ends it. */
export function Verify() {
  const { data, error, isFetching, refetch } = useQuery({
    queryKey: ['verify'],
    queryFn: ({ signal }) => call<VerifyReport>('GET', '/verify', { signal, timeoutMs: WAIT_MS }),
    enabled: false,
    retry: false,
    gcTime: 0,
  });
  return (
    <section className="card verify" aria-label="Verify the records">
      <p>
        <button type="button" disabled={isFetching} onClick={() => refetch()}>
          Verify
        </button>{' '}
        <span className="hint">
          {isFetching
            ? 'Verifying: about a second for 5,000 results …'
            : 'Holds the trail and what is stored against its signatures.'}
        </span>
      </p>
      {error !== null && !isFetching && <FailureNote error={error} />}
      <div role="status">{data !== undefined && error === null && !isFetching && <Report of={data} />}</div>
    </section>
  );
}

function Report({ of: { ok, head, checked, findings, findings_total, finished_at } }: { of: VerifyReport }) {
  const counts = Object.entries(checked).map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`);
  return (
    <>
      <p className={ok ? 'holds' : 'failure'}>
        <strong>{ok ? 'Everything holds.' : `${countOf(findings_total)} not hold.`}</strong> Looked at{' '}
        {counts.join(', ')}. <Moment at={finished_at} />
      </p>
      {!ok && (
        <ul>
          {findings.slice(0, SHOWN).map(({ check, subject, detail }) => (
            <li key={`${check} ${subject} ${detail}`}>
              {check.replaceAll('_', ' ')}: <code>{subject}</code>: {detail}
            </li>
          ))}
          {findings_total > SHOWN && <li>and {findings_total - SHOWN} more</li>}
        </ul>
      )}
      <p className="hint">
        {head === null ? (
          'The trail is not signed.'
        ) : (
          <>
            The trail ends at row {head.seq}. Keep this somewhere else, and <code>muster verify --kept</code> finds a
            trail that was put back: <code>{`${head.seq}:${head.hash}`}</code>
          </>
        )}
      </p>
    </>
  );
}

function countOf(findings: number): string {
  return findings === 1 ? '1 thing does' : `${findings} things do`;
}
