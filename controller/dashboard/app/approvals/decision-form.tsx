import { type FormEvent, useState } from 'react';
import type { InvocationView } from '../../../http/schemas.js';
import { FailureNote } from '../parts/failure-note.js';
import { useDecision } from './decisions.js';
import { GrantForm } from './grant-form.js';

/** What one may say to an ask: approve it, also beforehand the next ones, or deny it. */
export function DecisionForm({ ask, isOver }: { ask: InvocationView; isOver: boolean }) {
  const { mutate: decide, isPending, error } = useDecision(ask);
  const [typed, setTyped] = useState('');
  const isDanger = ask.risk === 'danger';
  const isOff = isOver || isPending;
  const deny = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get('reason') ?? '').trim();
    decide({ kind: 'deny', ...(reason !== '' && { reason }) });
  };
  return (
    <div className="decision">
      {error !== null && <FailureNote error={error} />}
      {isDanger && (
        <label>
          Type {ask.action} to approve it
          <input
            autoComplete="off"
            spellCheck={false}
            value={typed}
            onChange={({ target: { value } }) => setTyped(value)}
          />
        </label>
      )}
      <div className="answers">
        <button
          type="button"
          className="primary"
          disabled={isOff || (isDanger && typed !== ask.action)}
          onClick={() => decide({ kind: 'approve' })}
        >
          Approve
        </button>
        <form onSubmit={deny}>
          <button type="submit" className="danger" disabled={isOff}>
            Deny
          </button>
          <input name="reason" maxLength={1024} aria-label="Why it is denied" placeholder="why, for whoever asked" />
        </form>
      </div>
      {isDanger ? (
        <p className="hint">What may not be undone is approved one at a time: no grant is for it.</p>
      ) : (
        <GrantForm ask={ask} isOff={isOff} onDone={(grant) => decide({ kind: 'approve', grant })} />
      )}
    </div>
  );
}
