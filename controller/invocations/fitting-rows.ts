import { countFitting } from '../paging.js';
import type { InvocationRow } from '../store/invocations.js';

/** So many rows are read before that is looked at: a page of the usual size, and one more. */
const ROWS_AT_ONCE = 51;

/** The rows of a page, and at least one more when there are more; the first `shown` of them fit on it. */
export type FittingRows = Readonly<{ rows: readonly InvocationRow[]; shown: number }>;

/**
 * Reads at most `limit` rows, fewer when they are long. `readNext` gives those that follow `last`, at most `count`;
 * fewer when there are no more.
 */
export async function readFittingRows(
  limit: number,
  readNext: (last: InvocationRow | undefined, count: number) => Promise<InvocationRow[]>,
): Promise<FittingRows> {
  const rows: InvocationRow[] = [];
  for (;;) {
    const count = Math.min(ROWS_AT_ONCE, limit + 1 - rows.length);
    const next = await readNext(rows.at(-1), count);
    rows.push(...next);
    const shown = countFitting(rows, limit, octetsOf);
    if (next.length < count || shown < rows.length) return { rows, shown };
  }
}

/** Whoever asks chooses how many nodes they name, and how long the parameters are. */
function octetsOf({ target, parameters }: InvocationRow): number {
  return target.length + parameters.length;
}
