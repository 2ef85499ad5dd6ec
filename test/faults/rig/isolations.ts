import { findCgroup } from '../../../agent/actions/cgroup.js';
import { findPidNamespaces } from '../../../agent/actions/pid-namespace.js';
import type { IsolationLimit } from '../../../agent/actions-config.js';
import { createLogger } from '../../../runtime/logger.js';

/** How agents on this machine can hold the processes of an execution together, the surest first. */
export async function findIsolations(): Promise<readonly [IsolationLimit, ...IsolationLimit[]]> {
  const log = createLogger('agent', { level: 'silent' });
  const sure: IsolationLimit[] = [];
  if (findCgroup(log) !== undefined) sure.push('cgroup');
  if ((await findPidNamespaces(log)) !== undefined) sure.push('pid_namespace');
  const [first = 'process_group', ...others] = [...sure, 'process_group' as const];
  return [first, ...others];
}

/** Whether nothing gets away: from a process group a process does that leaves it and clears its environment. */
export function holdsEverything(isolation: IsolationLimit): boolean {
  return isolation !== 'process_group';
}
