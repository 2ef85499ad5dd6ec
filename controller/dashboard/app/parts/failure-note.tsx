import { Failure } from '../api/client.js';

/** What went wrong, and what to do. */
export function FailureNote({ error }: { error: unknown }) {
  if (!(error instanceof Failure))
    return (
      <p className="failure" role="alert">
        Something of this page is broken. Reload it.
      </p>
    );
  return (
    <p className="failure" role="alert">
      {toSentence(error.message)} {error.next !== '' && <span>{toSentence(error.next)}</span>} <code>{error.code}</code>
    </p>
  );
}

function toSentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
