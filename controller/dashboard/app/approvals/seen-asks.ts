import { useEffect, useState } from 'react';
import type { InvocationView } from '../../../http/schemas.js';

/** An ask that has waited while the page is open, and whether it still does. */
export type SeenAsk = Readonly<{ ask: InvocationView; isWaiting: boolean }>;

/** So many that wait no more stay. */
const MAX_ENDED = 20;

/**
 * What has waited while the page is open, in its place also when it waits no more: nothing moves below a pointer, and
 * one sees what became of it. `putAway` leaves what still waits.
 */
export function useSeenAsks(items: readonly InvocationView[] | undefined): {
  seen: readonly SeenAsk[];
  putAway: () => void;
} {
  const [seen, setSeen] = useState<readonly SeenAsk[]>([]);
  useEffect(() => {
    if (items !== undefined) setSeen((before) => merge(before, items));
  }, [items]);
  return { seen, putAway: () => setSeen((before) => before.filter(({ isWaiting }) => isWaiting)) };
}

function merge(before: readonly SeenAsk[], items: readonly InvocationView[]): readonly SeenAsk[] {
  const waiting = new Set(items.map(({ id }) => id));
  const known = new Set(before.map(({ ask }) => ask.id));
  const all = [
    ...before.map(({ ask }) => ({ ask, isWaiting: waiting.has(ask.id) })),
    ...items.filter(({ id }) => !known.has(id)).map((ask) => ({ ask, isWaiting: true })),
  ];
  let surplus = all.filter(({ isWaiting }) => !isWaiting).length - MAX_ENDED;
  return all.filter(({ isWaiting }) => isWaiting || surplus-- <= 0);
}
