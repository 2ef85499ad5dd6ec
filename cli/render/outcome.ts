import type { ExecutionView, InvocationView } from '../../controller/http/schemas.js';
import { describeTarget } from '../../controller/http/target-schemas.js';
import { formatDuration } from '../../protocol/durations.js';
import { escapeOutput, escapeText } from '../../runtime/terminal-text.js';
import { colorsFor, type Io } from '../io.js';
import type { StreamText } from '../whole-output.js';
import { layOutJson } from './json.js';
import { executionCell, noteOf } from './status.js';
import { renderTable } from './table.js';

type Streams = Readonly<Record<'stdout' | 'stderr', StreamText>>;

const DEFAULT_COLUMNS = 80;

/** The end of one execution on one node: its output as it was printed, unless that was shown already, then how it ended. */
export function renderSingle(
  execution: ExecutionView,
  streams: Streams | undefined,
  io: Pick<Io, 'stdout' | 'env'>,
): string {
  const { node, status } = execution;
  const details = [
    status === 'rejected' ? undefined : exitOf(execution),
    durationOf(execution),
    noteOf(execution) === '' ? undefined : escapeText(noteOf(execution)),
  ].filter((part) => part !== undefined);
  const line = [`${escapeText(node)}: ${paint(execution, io)}`, ...details].join(', ');
  return `${streams === undefined ? '' : renderStreams(streams, '', io)}${line}\n`;
}

/** What was asked, by whom and when: the head of `muster show`. */
export function renderInvocation(invocation: InvocationView): string {
  const { id, status, action, target, parameters, reason, error } = invocation;
  const asked = Object.entries(parameters).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  const fields: readonly (readonly [string, string | null])[] = [
    ['invocation', id],
    ['status', status],
    ['origin', invocation.origin === 'local' ? 'local: on the node itself' : null],
    ['action', [action, ...asked].join(' ')],
    ['target', describeTarget(target)],
    ['batches', batchesOf(invocation)],
    ['risk', invocation.risk],
    ['reason', reason],
    ['error', error],
    ['asked', `${invocation.created_at} by ${invocation.created_by}`],
    ['approved', invocation.approved_at && `${invocation.approved_at} by ${invocation.approved_by ?? 'nobody'}`],
    [
      'cancelled',
      invocation.cancel_requested_at &&
        `${invocation.cancel_requested_at} by ${invocation.cancel_requested_by ?? 'nobody'}`,
    ],
    ['expires', invocation.expires_at],
    ['ended', invocation.completed_at],
  ];
  return fields
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${`${name}:`.padEnd(12)}${escapeText(value ?? '')}\n`)
    .join('');
}

/** `2 of 10 begun, 5m apart, stopped at …`; null without batches. */
function batchesOf({ batch }: InvocationView): string | null {
  if (batch === null) return null;
  const { begun, count, pause, stopped_at } = batch;
  const parts = [
    `${begun} of ${count} begun`,
    pause === undefined ? undefined : `${pause} apart`,
    stopped_at === null ? undefined : `stopped at ${stopped_at}`,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

/** When each execution was offered, accepted, finished and its result stored. */
export function renderTimings(executions: readonly ExecutionView[], io: Pick<Io, 'stdout' | 'env'>): string {
  const head = ['NODE', 'SENT', 'ACCEPTED', 'FINISHED', 'STORED'];
  const rows = executions.map(({ node, sent_at, accepted_at, finished_at, received_at }) => [
    node,
    ...[sent_at, accepted_at, finished_at, received_at].map((time) => time ?? '-'),
  ]);
  return renderTable(head, rows, io);
}

/** The lines of both streams, indented. */
export function renderStreams({ stdout, stderr }: Streams, indent: string, io: Pick<Io, 'stdout'>): string {
  const columns = io.stdout.isTTY === true ? (io.stdout.columns ?? DEFAULT_COLUMNS) - indent.length : undefined;
  return [renderStream('stdout', stdout, columns), renderStream('stderr', stderr, columns)]
    .flat()
    .map((line) => `${indent}${line}\n`)
    .join('');
}

/** The lines of a stream; on a terminal of so many columns JSON is laid out. */
function renderStream(name: string, stream: StreamText, columns: number | undefined): string[] {
  const { text, bytes, isText, isWhole, isTruncated } = stream;
  if (bytes === 0) return [];
  const shown = columns !== undefined && isWhole ? layOutJson(text, columns) : text;
  const lines = isText ? escapeOutput(shown).replace(/\n$/, '').split('\n') : [];
  if (!isText) lines.push(`[${name}: ${bytes} bytes that are not text]`);
  else if (!isWhole) lines.push(`[${name}: not all of ${bytes} bytes are shown]`);
  if (isTruncated) lines.push(`[${name}: the node dropped what came past its limit]`);
  return lines;
}

/** The status of an execution, coloured by what it means. */
export function paint({ status }: ExecutionView, io: Pick<Io, 'stdout' | 'env'>): string {
  const cell = executionCell(status);
  if (typeof cell === 'string') return cell;
  const colors = colorsFor(io);
  return { good: colors.green, bad: colors.red, dim: colors.dim }[cell.tone](cell.text);
}

/** `exit code 3`; undefined where there is none. */
export function exitOf({ exit_code }: ExecutionView): string | undefined {
  return exit_code === null || exit_code < 0 ? undefined : `exit code ${exit_code}`;
}

/** How long it took; undefined when nobody said. */
export function durationOf({ duration, duration_ms }: ExecutionView): string | undefined {
  if (duration_ms !== null) return formatDuration(duration_ms);
  return duration === null ? undefined : escapeText(duration);
}
