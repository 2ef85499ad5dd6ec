import type { FormEvent } from 'react';
import type { GrantWithApproval } from '../../../http/grant-schemas.js';
import type { InvocationView } from '../../../http/schemas.js';
import { sandboxOf } from '../parts/words.js';

/** How long a grant may be good for. */
const TIMES = [
  ['1h', '1 hour'],
  ['8h', '8 hours'],
  ['24h', '1 day'],
  ['168h', '7 days'],
  ['720h', '30 days'],
] as const;
const USUAL = '8h';
const MOST_CALLS = 1_000_000;

/** Approves an ask, and beforehand the next ones for the same action and target. */
export function GrantForm({
  ask: { action, created_by },
  isOff,
  onDone,
}: {
  ask: InvocationView;
  isOff: boolean;
  onDone: (grant: GrantWithApproval) => void;
}) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onDone(readGrant(new FormData(event.currentTarget)));
  };
  return (
    <details>
      <summary>Approve the next ones too …</summary>
      <form onSubmit={submit} className="grant-form">
        <p className="hint">
          Asks for {action} on the same target then need nobody, whatever their parameters are, until the grant ends.
        </p>
        <label>
          Asked for by
          <select name="scope">
            {sandboxOf(created_by) !== undefined && <option value="session">this program alone</option>}
            <option value="org">everybody of the org</option>
          </select>
        </label>
        <label>
          How many
          <input name="max_calls" type="number" min={1} max={MOST_CALLS} step={1} placeholder="as many as come" />
        </label>
        <label>
          For how long
          <select name="expires_in" defaultValue={USUAL}>
            {TIMES.map(([duration, words]) => (
              <option key={duration} value={duration}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" disabled={isOff}>
          Approve with this grant
        </button>
      </form>
    </details>
  );
}

function readGrant(form: FormData): GrantWithApproval {
  const many = String(form.get('max_calls') ?? '');
  return {
    scope: form.get('scope') === 'session' ? 'session' : 'org',
    max_calls: many === '' ? null : Number(many),
    expires_in: String(form.get('expires_in') ?? USUAL),
  };
}
