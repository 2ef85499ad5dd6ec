import { parseDuration } from '../../../protocol/durations.js';
import { MAX_TIMER_MS } from '../../../runtime/deadline.js';
import type { Action, ActionContext, ActionEnd, OutputSink } from '../action.js';
import { invalidParameter } from '../builtins/answers.js';
import { parseSince } from '../system/log-time.js';
import { CONTAINER_PARAMETER, type ContainerHost, endOf, findContainer } from './host.js';
import { createFrameReader, createRawReader } from './log-frames.js';

const DEFAULT_LINES = 100;
const MAX_LINES = 10_000;
/** An engine that reads a log and sends nothing for so long does not send it any more. */
const IDLE_MS = 10_000;

/** Prints the newest lines of what a container has said, its stdout on stdout and its stderr on stderr. */
export function containerLogs(host: ContainerHost): Action {
  return {
    name: 'container_logs',
    description: 'The newest lines of what a container has said, and what it says from now on; each on its own stream',
    risk: 'read',
    parameters: [
      CONTAINER_PARAMETER,
      { name: 'lines', type: 'integer', required: false, default: DEFAULT_LINES, description: `0 to ${MAX_LINES}` },
      { name: 'since', type: 'string', required: false, description: 'Not older than this: 15m, or an RFC 3339 time' },
      { name: 'timestamps', type: 'boolean', required: false, default: false, description: 'A time before each line' },
      {
        name: 'follow',
        type: 'string',
        required: false,
        description: 'Goes on for this long, such as 30s, or until the container ends; not at all when left out',
      },
    ],
    run: (context) =>
      endOf(async () => {
        const query = readQuery(context, host);
        if ('kind' in query) return query;
        return readLog(query, host, context);
      }),
  };
}

type Query = Readonly<{ text: string; followMs: number | undefined }>;

function readQuery({ parameters }: ActionContext, { clock }: ContainerHost): Query | ActionEnd {
  const text = (name: string): string => String(parameters.get(name) ?? '');
  const lines = Number(parameters.get('lines') ?? DEFAULT_LINES);
  if (lines < 0 || lines > MAX_LINES) return invalidParameter(`parameter lines must be 0 to ${MAX_LINES}`);
  const sinceMs = text('since') === '' ? undefined : parseSince(text('since'), clock.nowMs());
  if (text('since') !== '' && sinceMs === undefined)
    return invalidParameter('parameter since must be a duration such as 15m, or a time such as 2026-01-31T12:00:00Z');
  const followMs = text('follow') === '' ? undefined : parseDuration(text('follow'));
  if (text('follow') !== '' && (followMs === undefined || followMs <= 0))
    return invalidParameter('parameter follow must be a duration such as 30s');
  const query = new URLSearchParams({ stdout: '1', stderr: '1', tail: String(lines) });
  if (sinceMs !== undefined) query.set('since', (sinceMs / 1000).toFixed(3));
  if (parameters.get('timestamps') === true) query.set('timestamps', '1');
  if (followMs !== undefined) query.set('follow', '1');
  return { text: query.toString(), followMs };
}

async function readLog({ text, followMs }: Query, host: ContainerHost, context: ActionContext): Promise<ActionEnd> {
  const { output, signal } = context;
  const found = await findContainer(host, context);
  const bounded = bound(output, host.maxOutputBytes);
  const reader = found.Config.Tty === true ? createRawReader(bounded.write) : createFrameReader(bounded.write);
  const enough = new AbortController();
  const timer = followMs === undefined ? undefined : setTimeout(() => enough.abort(), Math.min(followMs, MAX_TIMER_MS));
  const onAbort = (): void => enough.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const how = await host.engine.read(`/containers/${found.Id}/logs?${text}`, {
      signal: enough.signal,
      ...(followMs === undefined ? { idleMs: IDLE_MS } : {}),
      take(bytes) {
        reader.take(bytes);
        return !bounded.isFull();
      },
    });
    if (how === 'ended') reader.end();
    else output.leaveOff?.();
  } catch (error) {
    signal.throwIfAborted();
    if (!enough.signal.aborted) throw error; // else: it was followed as long as was asked for
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
  return { kind: 'exited', exitCode: 0 };
}

/** Tells when a stream has had more than is kept: reading on would only be work. */
function bound({ write }: OutputSink, maxBytes: number): OutputSink & { isFull: () => boolean } {
  const sizes = { stdout: 0, stderr: 0 };
  return {
    write(stream, bytes) {
      sizes[stream] += bytes.length;
      write(stream, bytes);
    },
    isFull: () => sizes.stdout > maxBytes || sizes.stderr > maxBytes,
  };
}
