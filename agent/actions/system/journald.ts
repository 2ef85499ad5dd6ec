import { z } from 'zod';
import { toTime } from '../../../runtime/clock.js';
import type { ActionEnd } from '../action.js';
import { MAX_LINE_BYTES } from './lines-from-end.js';
import type { LineCollector, LogLine } from './log-lines.js';
import { firstLine, runTool, type Tools, unavailable } from './tool.js';

/** A search looks no further back than this. */
const MAX_SCAN_BYTES = 32 * 1024 * 1024;
/** journalctl leaves out messages above 4 KiB; each byte of one that is not text takes up to 5 in JSON. */
const MAX_ENTRY_BYTES = 64 * 1024;
const FIELDS = 'MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_PID';
const NEWLINE = 0x0a;

const Text = z.string().nullish().catch(undefined);
/** systemd.io/JOURNAL_EXPORT_FORMATS: text, bytes when it is not printable, null when it is too long. */
const Entry = z.object({
  __REALTIME_TIMESTAMP: z.string().regex(/^\d{1,17}$/),
  MESSAGE: z
    .union([z.string(), z.array(z.int().min(0).max(255)), z.null()])
    .optional()
    .catch(undefined),
  PRIORITY: z
    .string()
    .regex(/^[0-7]$/)
    .optional()
    .catch(undefined),
  SYSLOG_IDENTIFIER: Text,
  _PID: Text,
});

/**
 * Hands the journal of a unit to the collector, the newest entry first. `note` is what journalctl had to say when it
 * found nothing, such as that it may not read.
 */
export async function readJournal(
  { unit, sinceMs, isWanted, collector }: JournalQuery,
  tools: Tools,
  signal: AbortSignal,
): Promise<
  Readonly<{ kind: 'read'; isLimited: boolean; note: string }> | Readonly<{ kind: 'failed'; end: ActionEnd }>
> {
  const enough = new AbortController();
  let scanned = 0;
  const split = createSplitter((line) => {
    const entry = toLine(line);
    if (entry !== undefined && isWanted(entry.text) && !collector.add(entry)) enough.abort();
  });
  const since = sinceMs === undefined ? [] : [`--since=@${(sinceMs / 1000).toFixed(3)}`];
  const args = ['--no-pager', '--reverse', '--output=json', `--output-fields=${FIELDS}`, `--unit=${unit}`, ...since];
  const run = await runTool({ file: 'journalctl', args }, tools, {
    signal: AbortSignal.any([signal, enough.signal]),
    onStdout(bytes) {
      if (enough.signal.aborted) return;
      scanned += bytes.length;
      split(bytes);
      if (scanned > MAX_SCAN_BYTES) enough.abort();
    },
  });
  signal.throwIfAborted();
  if (enough.signal.aborted) return { kind: 'read', isLimited: true, note: '' };
  if (run.end.kind !== 'exited' || run.end.exitCode !== 0)
    return { kind: 'failed', end: unavailable('journalctl', run) };
  return { kind: 'read', isLimited: false, note: collector.lines().length === 0 ? firstLine(run.stderr) : '' };
}

type JournalQuery = Readonly<{
  unit: string;
  sinceMs: number | undefined;
  isWanted: (text: string) => boolean;
  collector: LineCollector;
}>;

/** Puts lines together from pieces; one that is too long is dropped. */
function createSplitter(take: (line: string) => void): (bytes: Buffer) => void {
  let parts: Buffer[] = [];
  let size = 0;
  const keep = (part: Buffer): void => {
    size += part.length;
    if (size <= MAX_ENTRY_BYTES) parts.push(part);
  };
  return (bytes) => {
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
      keep(bytes.subarray(from, at));
      if (size <= MAX_ENTRY_BYTES) take(Buffer.concat(parts).toString('utf8'));
      parts = [];
      size = 0;
      from = at + 1;
    }
    keep(bytes.subarray(from));
  };
}

function toLine(json: string): LogLine | undefined {
  const parsed = Entry.safeParse(parseJson(json));
  if (!parsed.success) return undefined;
  const {
    __REALTIME_TIMESTAMP: micros,
    MESSAGE: message,
    PRIORITY,
    SYSLOG_IDENTIFIER: program,
    _PID: pid,
  } = parsed.data;
  const bytes = message === null || message === undefined ? Buffer.alloc(0) : Buffer.from(message);
  return {
    time: toTime(Number(micros) / 1000),
    text: bytes.subarray(0, MAX_LINE_BYTES).toString('utf8'),
    is_cut: message === null || bytes.length > MAX_LINE_BYTES,
    priority: PRIORITY === undefined ? null : Number(PRIORITY),
    from: program === undefined || program === null ? null : pid ? `${program}[${pid}]` : program,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
