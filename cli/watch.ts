import type { InvocationAnswer, InvocationView } from '../controller/http/schemas.js';
import type { Client } from './client.js';
import type { Io } from './io.js';
import { createLiveOutput } from './live-output.js';

/** What is shown of an invocation before it has ended. */
export type Watch = Readonly<{
  /** How long an answer may be held back: short when somebody watches, else until the end. */
  waitSeconds: number;
  onState: (answer: InvocationAnswer) => void | Promise<void>;
  /** The output was shown as it came, so that it need not be shown again. */
  isOutputShown: boolean;
  end: () => void;
}>;

/** Output is shown as it comes for at most this many nodes: each is asked for it every second. */
const MAX_LIVE_NODES = 20;

const WATCHED_WAIT_SECONDS = 1;
const UNWATCHED_WAIT_SECONDS = 30;

const ERASE_LINE = '\r\x1b[K';

/** Live output when it is wanted, else a line of progress when stderr is a terminal, else nothing. */
export function watchOf(
  client: Client,
  { invocation, isLive, io }: { invocation: InvocationView; isLive: boolean; io: Pick<Io, 'stdout' | 'stderr'> },
): Watch {
  const { total } = invocation.counts;
  if (isLive && total <= MAX_LIVE_NODES) {
    const live = createLiveOutput(client, io, total > 1);
    const onState = ({ executions = [] }: InvocationAnswer): Promise<void> => live.update(executions);
    return { waitSeconds: WATCHED_WAIT_SECONDS, onState, isOutputShown: true, end: () => undefined };
  }
  if (isLive) io.stderr.write(`Output is shown at the end: there are more than ${MAX_LIVE_NODES} nodes.\n`);
  if (io.stderr.isTTY !== true || total === 0) {
    const nothing = (): void => undefined;
    return { waitSeconds: UNWATCHED_WAIT_SECONDS, onState: nothing, isOutputShown: false, end: nothing };
  }
  showProgress(io, invocation);
  return {
    waitSeconds: WATCHED_WAIT_SECONDS,
    onState: (answer) => showProgress(io, answer.invocation),
    isOutputShown: false,
    end: () => void io.stderr.write(ERASE_LINE),
  };
}

/** One line that is written over by the next. */
function showProgress({ stderr }: Pick<Io, 'stderr'>, { id, counts }: InvocationView): void {
  const open = counts.held + counts.queued + counts.sent + counts.accepted;
  const line = `${counts.total - open} of ${counts.total} done, ${counts.accepted} running (${id})`;
  stderr.write(`${ERASE_LINE}${line.slice(0, (stderr.columns ?? 80) - 1)}`);
}
