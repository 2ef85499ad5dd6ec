import type { ExecutionGroupView } from '../../controller/http/list-schemas.js';
import type { ExecutionView } from '../../controller/http/schemas.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { Io } from '../io.js';
import { inlineOutput } from '../whole-output.js';
import { durationOf, exitOf, paint, renderStreams } from './outcome.js';
import { executionCell, noteOf } from './status.js';
import { renderTable } from './table.js';

type Screen = Pick<Io, 'stdout' | 'env'>;

/** Like executions, the largest group first; `isMore` when there are more groups than these. */
export type Groups = Readonly<{ items: readonly ExecutionGroupView[]; isMore: boolean }>;

/** The outputs of many executions: like results once, with the nodes that gave them. */
export function renderGroups({ items, isMore }: Groups, io: Screen): string {
  const shown = items.filter(({ sample }) => hasOutput(sample)).map((group) => `${renderGroup(group, io)}\n`);
  const more = isMore ? 'There are more kinds of results than are shown: look with --json.\n\n' : '';
  return `${shown.join('')}${more}`;
}

/** How executions ended, a line for each. */
export function renderEnds(executions: readonly ExecutionView[], io: Screen): string {
  const head = ['NODE', 'STATUS', 'EXIT', 'DURATION', 'NOTE'];
  const rows = executions.map((execution) => [
    execution.node,
    executionCell(execution.status),
    exitCell(execution),
    durationOf(execution) ?? '-',
    noteOf(execution),
  ]);
  return renderTable(head, rows, io);
}

/** How executions ended, a line for each group of like ones. */
export function renderGroupEnds({ items }: Groups, io: Screen): string {
  const rows = items.map((group) => [
    String(group.count),
    executionCell(group.status),
    exitCell(group.sample),
    noteOf(group.sample),
    namesOf(group),
  ]);
  return renderTable(['COUNT', 'STATUS', 'EXIT', 'NOTE', 'NODES'], rows, io);
}

function renderGroup(group: ExecutionGroupView, io: Screen): string {
  const { sample } = group;
  const heading = [`${escapeText(namesOf(group))}: ${paint(sample, io)}`, exitOf(sample)]
    .filter((part) => part !== undefined)
    .join(', ');
  return `${heading}\n${renderStreams(inlineOutput(sample), '  ', io)}`;
}

function namesOf({ nodes, count }: ExecutionGroupView): string {
  return `${nodes.join(', ')}${count > nodes.length ? ` and ${count - nodes.length} more` : ''}`;
}

function exitCell({ exit_code }: ExecutionView): string {
  return exit_code === null || exit_code < 0 ? '-' : String(exit_code);
}

function hasOutput({ stdout_bytes, stderr_bytes }: ExecutionView): boolean {
  return (stdout_bytes ?? 0) + (stderr_bytes ?? 0) > 0;
}
