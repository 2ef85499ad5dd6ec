import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';
import { type Clock, toTime } from '../../../runtime/clock.js';
import type { Mask } from '../../../runtime/masking/mask.js';
import type { Action, ActionContext, ActionEnd } from '../action.js';
import { type AllowedFile, cannotBeRead, openAllowedFile } from '../system/allowed-file.js';
import { readJournal } from '../system/journald.js';
import { linesFromEnd } from '../system/lines-from-end.js';
import { createLineCollector, type LineCollector, LogLine } from '../system/log-lines.js';
import { logTime, parseSince } from '../system/log-time.js';
import type { Tools } from '../system/tool.js';
import { allowedUnit } from '../system/units.js';
import { failed, invalidParameter, notAllowed, printJson } from './answers.js';

const DEFAULT_LINES = 100;
const MAX_LINES = 1000;
/** A search looks no further back than this in each file. */
const MAX_SCAN_BYTES = 32 * 1024 * 1024;
/** Leaves room for what stands around the lines. */
const RESERVE_BYTES = 512;

/** What `logs_tail` prints. */
export const LogsTail = z.object({
  source: z.enum(['file', 'journal']),
  name: z.string().describe('The file or the unit'),
  lines: z.array(LogLine).describe('The oldest first'),
  has_older: z
    .boolean()
    .describe('Older lines were left out: more than `lines`, than the output holds, or too far back'),
  note: z.string().nullable().describe('What journalctl said when it found nothing'),
});
export type LogsTail = Readonly<z.infer<typeof LogsTail>>;

/** What `logs_tail` is made with. */
export type LogSources = Readonly<{
  files: readonly string[];
  units: readonly string[];
  /** Directories that are never read. */
  hidden: readonly string[];
  maxOutputBytes: number;
  mask: Mask;
  tools: Tools;
  clock: Clock;
}>;

/** The newest lines of a file that `agent.log_files` covers, or of the journal of a unit in `agent.log_units`. */
export function logsTail(sources: LogSources): Action {
  return {
    name: 'logs_tail',
    description: 'The newest lines of a log file or of the journal of a unit',
    risk: 'read',
    parameters: [
      {
        name: 'file',
        type: 'string',
        required: false,
        description: 'A file that agent.log_files covers; this or unit',
      },
      { name: 'unit', type: 'string', required: false, description: 'A unit that agent.log_units lists; this or file' },
      { name: 'lines', type: 'integer', required: false, default: DEFAULT_LINES, description: `1 to ${MAX_LINES}` },
      { name: 'since', type: 'string', required: false, description: 'Not older than this: 15m, or an RFC 3339 time' },
      { name: 'contains', type: 'string', required: false, description: 'Only lines with this text in them' },
    ],
    prints: LogsTail,
    async run(context) {
      const query = readQuery(context, sources);
      if ('kind' in query) return query;
      return query.unit === '' ? tailFile(query, sources, context) : tailJournal(query, sources, context);
    },
  };
}

type Query = Readonly<{
  file: string;
  unit: string;
  sinceMs: number | undefined;
  isWanted: (text: string) => boolean;
  collector: LineCollector;
}>;

function readQuery({ parameters }: ActionContext, { clock, maxOutputBytes, mask }: LogSources): Query | ActionEnd {
  const text = (name: string): string => String(parameters.get(name) ?? '');
  const maxLines = Number(parameters.get('lines') ?? DEFAULT_LINES);
  if ((text('file') === '') === (text('unit') === '')) return invalidParameter('give either parameter file or unit');
  if (maxLines < 1 || maxLines > MAX_LINES) return invalidParameter(`parameter lines must be 1 to ${MAX_LINES}`);
  const sinceMs = text('since') === '' ? undefined : parseSince(text('since'), clock.nowMs());
  if (text('since') !== '' && sinceMs === undefined)
    return invalidParameter('parameter since must be a duration such as 15m, or a time such as 2026-01-31T12:00:00Z');
  return {
    file: text('file'),
    unit: text('unit'),
    sinceMs,
    isWanted: (line) => line.includes(text('contains')),
    collector: createLineCollector({ maxLines, maxBytes: maxOutputBytes - RESERVE_BYTES, mask }),
  };
}

async function tailJournal(
  { unit: asked, sinceMs, isWanted, collector }: Query,
  { units, tools }: LogSources,
  { output, signal }: ActionContext,
): Promise<ActionEnd> {
  const unit = allowedUnit(asked, units);
  if (unit === undefined) return notAllowed(`the unit ${asked}`, 'log_units');
  const read = await readJournal({ unit, sinceMs, isWanted, collector }, tools, signal);
  if (read.kind === 'failed') return read.end;
  printJson<LogsTail>(output, {
    source: 'journal',
    name: unit,
    lines: collector.lines(),
    has_older: read.isLimited,
    note: read.note === '' ? null : read.note,
  });
  return { kind: 'exited', exitCode: 0 };
}

async function tailFile(query: Query, sources: LogSources, { output, signal }: ActionContext): Promise<ActionEnd> {
  const rule = { allowed: sources.files, hidden: sources.hidden };
  const found = await openAllowedFile(query.file, rule);
  if (found.kind === 'not_allowed') return notAllowed(`the file ${query.file}`, 'log_files');
  if (found.kind === 'failed') return failed(output, found.message);
  const taker = createTaker(query, sources.clock.nowMs());
  let stop = await readThrough(found, taker, signal);
  // Just after a rotation the new file has few lines; the one before it goes on.
  const before: AllowedFile =
    stop === 'start' ? await openAllowedFile(`${found.file}.1`, rule) : { kind: 'not_allowed' };
  if (before.kind === 'open') stop = await readThrough(before, taker, signal);
  if (typeof stop === 'object') return failed(output, stop.message);
  if (query.sinceMs !== undefined && taker.hasUntimed()) {
    return failed(
      output,
      `The lines of ${query.file} do not begin with a time that can be read, so since cannot be met`,
    );
  }
  printJson<LogsTail>(output, {
    source: 'file',
    name: found.file,
    lines: query.collector.lines(),
    has_older: query.collector.isFull() || stop === 'limit',
    note: null,
  });
  return { kind: 'exited', exitCode: 0 };
}

async function readThrough(
  { handle, file }: { handle: FileHandle; file: string },
  { take }: LineTaker,
  signal: AbortSignal,
): Promise<'stopped' | 'start' | 'limit' | { message: string }> {
  try {
    return await linesFromEnd(handle, { maxScanBytes: MAX_SCAN_BYTES, signal, take });
  } catch (error) {
    signal.throwIfAborted();
    return { message: cannotBeRead(file, error) };
  } finally {
    await handle.close();
  }
}

type LineTaker = Readonly<{
  take: (line: Readonly<{ text: string; isCut: boolean }>) => boolean;
  /** There were lines, and none of them had a time. */
  hasUntimed: () => boolean;
}>;

/** With `since`, a line without a time of its own belongs to the one above it, as in a stack trace. */
function createTaker({ sinceMs, isWanted, collector }: Query, nowMs: number): LineTaker {
  let waiting: LogLine[] = [];
  let isTimed = false;
  return {
    take({ text, isCut }) {
      const ms = logTime(text, nowMs);
      isTimed ||= ms !== undefined;
      const time = ms === undefined ? null : toTime(ms);
      if (isWanted(text)) waiting.push({ time, text, is_cut: isCut, priority: null, from: null });
      if (sinceMs !== undefined) {
        if (ms === undefined) return waiting.length <= MAX_LINES;
        if (ms < sinceMs) return false;
      }
      const ready = waiting;
      waiting = [];
      return ready.every(collector.add);
    },
    hasUntimed: () => !isTimed && waiting.length > 0,
  };
}
