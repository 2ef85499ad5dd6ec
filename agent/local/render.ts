import { formatDuration } from '../../protocol/durations.js';
import type { ActionSpec, HookSpec } from '../../protocol/messages/capabilities.js';
import type { ParameterSpec } from '../../protocol/messages/parameters.js';
import type { Result } from '../../protocol/messages/result.js';
import { escapeText } from '../../runtime/terminal-text.js';
import type { LocalStatus } from './messages.js';

/** A status for people: what it is about, then how that is. */
export function renderStatus(status: LocalStatus): string {
  const { broker, journal, actions, controller_keys: keys, last_refusal: refusal } = status;
  const { reads_only_until: until } = actions;
  const uptime = formatDuration(status.uptime_seconds * 1000);
  const facts: readonly (readonly [string, string])[] = [
    ['node', `${status.node} of ${status.org}`],
    ['agent', `${status.version}, process ${status.pid}, up ${uptime}`],
    ['broker', broker.url],
    ['connected', broker.connected_since === null ? 'no' : `since ${broker.connected_since}`],
    ['welcomed', status.last_welcome ?? 'not by this process yet'],
    ['last refusal', refusal === null ? 'none' : `${refusal.code} at ${refusal.at}`],
    ['keys', `version ${keys.version}, until ${keys.not_after}`],
    ['journal', `${journal.starts} starts, ${journal.bytes} of ${journal.max_bytes} bytes`],
    ['unreported', journal.unreceipted === 0 ? 'nothing' : `${journal.unreceipted} of the results`],
    ['actions', actions.enabled ? `${status.running.length} of ${actions.max_concurrent} run` : 'disabled'],
    ['isolation', actions.isolation],
    ...(until === null ? [] : [['held', `restarted too often: only reading actions until ${until}`] as const]),
  ];
  const lines = facts.map(([name, text]) => `${`${name}:`.padEnd(14)}${escapeText(text)}`);
  return [lines.join('\n'), renderRunning(status), renderLocal(status)].filter((part) => part !== '').join('\n\n');
}

function renderRunning({ running }: LocalStatus): string {
  if (running.length === 0) return '';
  return renderColumns(
    ['RUNNING', 'ACTION', 'ORIGIN', 'BY'],
    running.map(({ execution_id, action, origin, by }) => [execution_id, action, origin, by ?? '-']),
  );
}

function renderLocal({ local }: LocalStatus): string {
  if (local.length === 0) return '';
  return renderColumns(
    ['RUN HERE', 'ACTION', 'BY', 'STATUS', 'FINISHED', 'REPORTED'],
    local.map((each) => [
      each.execution_id,
      ...[each.action, each.by, each.status, each.finished_at],
      each.receipted ? 'yes' : 'not yet',
    ]),
  );
}

/** What the node can do, for people. */
export function renderActions({
  builtins,
  hooks,
}: Readonly<{ builtins: readonly ActionSpec[]; hooks: readonly HookSpec[] }>): string {
  const row = (kind: string, { name, risk, parameters, description }: ActionSpec): string[] => [
    name,
    kind,
    risk ?? 'write',
    parameters.map(describeParameter).join(' ') || '-',
    description,
  ];
  return renderColumns(
    ['ACTION', 'KIND', 'RISK', 'PARAMETERS', 'DESCRIPTION'],
    [...builtins.map((spec) => row('builtin', spec)), ...hooks.map((spec) => row('hook', spec))],
  );
}

/** How an execution ended, in one line. */
export function renderEnd(result: Result): string {
  const { status, exit_code, duration, error_code, error, launched } = result;
  const details = [
    exit_code < 0 ? undefined : `exit code ${exit_code}`,
    duration,
    error_code === undefined ? error : `${error_code}: ${error ?? ''}`,
    launched === undefined ? undefined : `launched: ${launched}`,
  ].filter((part) => part !== undefined);
  return escapeText(`${result.node}: ${[status, ...details].join(', ')}`);
}

function describeParameter({ name, type, required }: ParameterSpec): string {
  return `${name}${required ? '' : '?'}:${type}`;
}

/** Columns as wide as their longest text; what others wrote is made safe for a terminal. */
function renderColumns(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const safe = [head, ...rows.map((row) => row.map(escapeText))];
  const widths = head.map((_, column) => Math.max(...safe.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return safe.map(line).join('\n');
}
