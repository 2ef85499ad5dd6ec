import { MusterError } from '../../protocol/errors.js';
import type { Logger } from '../../runtime/logger.js';
import type { IsolationLimit } from '../actions-config.js';
import { createCgroupIsolation, findCgroup } from './cgroup.js';
import { findPidNamespaces } from './pid-namespace.js';
import { createProcessGroupIsolation } from './process-group.js';

/** What is started, and where. */
export type Command = Readonly<{ file: string; args: readonly string[]; cwd: string }>;

/** What holds the processes of one execution together, so that they can be ended together. */
export type Enclosure = Readonly<{
  /** The command that starts this one inside. */
  lead: (command: Command) => Command;
  /** Calls `spawn`, which has to fork before it returns: the child is then inside. @throws {Error} with an errno */
  start: <T extends Readonly<{ pid?: number | undefined }>>(spawn: () => T) => T;
  /** The errno for which the program was not started, when what led it there says so by its own exit. */
  notStarted?: (exitCode: number, stderr: string) => string | undefined;
  /** SIGTERM to the process group of the first process. */
  terminate: () => void;
  /** False while something that it knows of is alive. */
  isEmpty: () => boolean;
  /** SIGKILL to everything inside. */
  kill: () => Promise<void>;
  /** True when the kernel ends everything inside with the agent; else a keeper has to. */
  endsWithAgent: boolean;
  /** The directory of the cgroup, if it is one. */
  cgroup?: string;
  /** Gives back what the kernel holds for it; call it when the processes have ended. */
  release: () => Promise<void>;
}>;

/** How a node ends what an action started; announced as `process_isolation` in the capabilities. */
export type Isolation = Readonly<{
  /** `process_group`: a process that calls setsid and clears its environment outlives its execution. */
  limit: IsolationLimit;
  /**
   * `marker`: environment entries, `NAME=value`, that together only the processes of this execution have.
   * @throws {Error} with an errno, when it cannot be made; then nothing may be started
   */
  enclose: (marker?: readonly string[]) => Promise<Enclosure>;
}>;

/**
 * The best that this machine offers, or the one that is wanted: a cgroup v2 that we may write to, else PID namespaces,
 * else process groups.
 * @throws {MusterError} config_invalid when the wanted one is not to be had
 */
export async function detectIsolation(log: Logger, wanted: IsolationLimit | 'auto' = 'auto'): Promise<Isolation> {
  const isWanted = (limit: IsolationLimit): boolean => wanted === 'auto' || wanted === limit;
  const base = isWanted('cgroup') ? findCgroup(log) : undefined;
  if (base !== undefined) return createCgroupIsolation({ base, log });
  const namespaces = isWanted('pid_namespace') ? await findPidNamespaces(log) : undefined;
  if (namespaces !== undefined) return namespaces;
  if (!isWanted('process_group'))
    throw new MusterError('config_invalid', `agent.process_isolation: this machine offers the agent no ${wanted}`);
  const groups = createProcessGroupIsolation();
  if (wanted === 'auto') log.warn({ processIsolation: groups.limit }, 'no cgroup and no pid namespace to be had');
  return groups;
}

/**
 * For programs of the system, which do not hide from who started them, and of which some do not work in a namespace:
 * systemctl, or ping where its file carries a capability.
 */
export function forSystemPrograms(isolation: Isolation): Isolation {
  return isolation.limit === 'pid_namespace' ? createProcessGroupIsolation() : isolation;
}
