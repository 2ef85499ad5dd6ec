import type { InvocationView } from '../controller/http/schemas.js';
import type { Io } from './io.js';

/** A line on stderr that says how far an invocation is; it exists only on a terminal. */
export type Progress = Readonly<{
  /** How long an answer may be held back: short when somebody watches, else until the end. */
  waitSeconds: number;
  show: (invocation: InvocationView) => void;
  clear: () => void;
}>;

const ERASE_LINE = '\r\x1b[K';

export function startProgress({ stderr }: Pick<Io, 'stderr'>, first: InvocationView): Progress {
  if (stderr.isTTY !== true) return { waitSeconds: 30, show: () => undefined, clear: () => undefined };
  const show = ({ id, counts }: InvocationView): void => {
    const open = counts.queued + counts.sent + counts.accepted;
    stderr.write(
      `${ERASE_LINE}${counts.total - open} of ${counts.total} done, ${counts.accepted} running (${id})`.slice(
        0,
        ERASE_LINE.length + (stderr.columns ?? 80) - 1,
      ),
    );
  };
  show(first);
  return { waitSeconds: 1, show, clear: () => stderr.write(ERASE_LINE) };
}
