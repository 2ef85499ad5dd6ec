import { z } from 'zod';
import type { ActionEnd } from '../action.js';
import { runTool, type Tools, unavailable } from './tool.js';

const UNIT_TYPES = /\.(service|socket|timer|target|mount|automount|path|slice|scope|device|swap)$/;

/** What systemd says of one unit. */
export const UnitState = z.object({
  service: z.string().describe('The unit'),
  description: z.string(),
  load_state: z.string().describe('`loaded`, `not-found`, `masked`, …'),
  active_state: z.string().describe('`active`, `inactive`, `failed`, `activating`, …'),
  sub_state: z.string().describe('`running`, `exited`, `dead`, …'),
  enabled: z.string().nullable().describe('`enabled`, `disabled`, `static`, …: whether it starts at boot'),
  result: z.string().nullable().describe('How its last run ended: `success`, `exit-code`, `timeout`, …'),
  exit_code: z.int().nullable().describe('Of its main process, once that has ended'),
  main_pid: z.int().nullable(),
  restarts: z.int().nullable().describe('How often systemd has started it again by itself'),
  memory_bytes: z.int().nullable(),
  active_since: z.iso.datetime().nullable(),
});
export type UnitState = Readonly<z.infer<typeof UnitState>>;

/** `invocation` is another one after each start. */
export type ShownUnit = Readonly<{ state: UnitState; invocation: string }>;

const PROPERTIES = [
  'Id',
  'Description',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'Result',
  'ExecMainStatus',
  'MainPID',
  'NRestarts',
  'MemoryCurrent',
  'ActiveEnterTimestamp',
  'InvocationID',
];

/** The full name of a unit: `nginx` is `nginx.service`. */
export function toUnit(name: string): string {
  return UNIT_TYPES.test(name) ? name : `${name}.service`;
}

/** The unit that is meant, when the list has it; names with and without `.service` are the same. */
export function allowedUnit(name: string, list: readonly string[]): string | undefined {
  const unit = toUnit(name);
  return list.some((entry) => toUnit(entry) === unit) ? unit : undefined;
}

/** Asks systemd about these units, in their order; the end of the action when there is no systemd to ask. */
export async function showUnits(
  units: readonly string[],
  tools: Tools,
  signal: AbortSignal,
): Promise<Readonly<{ kind: 'shown'; units: readonly ShownUnit[] }> | Readonly<{ kind: 'failed'; end: ActionEnd }>> {
  const args = ['show', '--no-pager', `--property=${PROPERTIES.join(',')}`, '--', ...units];
  const run = await runTool({ file: 'systemctl', args }, tools, { signal });
  if (run.end.kind !== 'exited' || run.end.exitCode !== 0) {
    return { kind: 'failed', end: unavailable('systemctl', run) };
  }
  const blocks = run.stdout.trim().split(/\n{2,}/);
  return { kind: 'shown', units: units.map((unit, index) => toShown(unit, blocks[index] ?? '')) };
}

function toShown(unit: string, block: string): ShownUnit {
  const values = new Map<string, string>();
  for (const line of block.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const text = (name: string): string => values.get(name) ?? '';
  const orNull = (name: string): string | null => (text(name) === '' ? null : text(name));
  const number = (name: string): number | null => toCount(text(name));
  const mainPid = number('MainPID');
  return {
    invocation: text('InvocationID'),
    state: {
      service: unit,
      description: text('Description'),
      load_state: text('LoadState'),
      active_state: text('ActiveState'),
      sub_state: text('SubState'),
      enabled: orNull('UnitFileState'),
      result: orNull('Result'),
      exit_code: mainPid === 0 ? number('ExecMainStatus') : null,
      main_pid: mainPid === 0 ? null : mainPid,
      restarts: number('NRestarts'),
      memory_bytes: number('MemoryCurrent'),
      active_since: toTimeText(text('ActiveEnterTimestamp')),
    },
  };
}

/** systemd writes 2^64 - 1 or `[not set]` where it counts nothing. */
function toCount(text: string): number | null {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(count) ? count : null;
}

/** `Sat 2026-11-21 06:57:30 UTC`, as systemctl writes it in UTC. */
function toTimeText(text: string): string | null {
  const [, day, time] = /^\w{3} (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.\d+)? UTC$/.exec(text) ?? [];
  return day === undefined ? null : `${day}T${time}Z`;
}
