import { useQuery } from '@tanstack/react-query';
import { escapeText } from '../../../../runtime/terminal-text.js';
import { actionsQuery } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { RISK_WORDS } from '../parts/words.js';
import type { Wish } from '../run/run-dialog.js';

/** What a node can do, each with a button for who may ask. */
export function Offers({ node, onRun }: { node: string; onRun: ((wish: Wish) => void) | undefined }) {
  const { data, error } = useQuery(actionsQuery(node));
  return (
    <section className="card">
      <h2>Actions</h2>
      {error !== null && <FailureNote error={error} />}
      {data?.length === 0 && <p className="hint">It offers none.</p>}
      <ul className="plain">
        {data?.map(({ name, kind, risk, description }) => (
          <li key={`${kind} ${name}`} className="offer">
            <span>
              <strong>{name}</strong>{' '}
              <span className="hint">
                {kind === 'hook' ? 'hook, ' : ''}
                {RISK_WORDS[risk]}
              </span>
              <br />
              <small>{escapeText(description)}</small>
            </span>
            {onRun !== undefined && (
              <button type="button" aria-label={`Run ${name} …`} onClick={() => onRun({ action: name })}>
                Run …
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
