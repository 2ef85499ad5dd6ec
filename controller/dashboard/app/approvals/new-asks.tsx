import { useEffect, useRef, useState } from 'react';
import type { InvocationView } from '../../../http/schemas.js';
import { placeInWords, sandboxOf } from '../parts/words.js';

/** Reads out what begins to wait, once, and when whoever listens has a moment. */
export function NewAsks({ asks }: { asks: readonly InvocationView[] | undefined }) {
  const known = useRef<ReadonlySet<string>>(new Set());
  const [news, setNews] = useState({ number: 0, text: '' });
  useEffect(() => {
    if (asks === undefined) return;
    const fresh = asks.filter(({ id }) => !known.current.has(id));
    known.current = new Set(asks.map(({ id }) => id));
    if (fresh.length > 0) setNews(({ number }) => ({ number: number + 1, text: inWords(fresh) }));
  }, [asks]);
  return (
    <div role="status" className="heard-only">
      {news.text !== '' && <p key={news.number}>{news.text}</p>}
    </div>
  );
}

function inWords([first, ...others]: readonly InvocationView[]): string {
  if (first === undefined) return '';
  const who = sandboxOf(first.created_by) === undefined ? first.created_by : 'a program';
  if (others.length > 0) return `${others.length + 1} asks wait for an approval.`;
  return `Waits for an approval: ${first.action} on ${placeInWords(first)}, asked for by ${who}.`;
}
