import type { Logger } from '../../runtime/logger.js';
import { createCgroupIsolation, findCgroup } from './cgroup.js';
import { createProcessGroupIsolation } from './process-group.js';

/** What holds the processes of one execution together, so that they can be ended together. */
export type Enclosure = Readonly<{
  /** Calls `spawn`, which has to fork before it returns: the child is then inside. */
  start: <T>(spawn: () => T) => T;
  /** False once nothing that it knows of is alive. `leader` is the pid of the first process. */
  isEmpty: (leader: number) => boolean;
  /** SIGKILL to everything inside. */
  kill: (leader: number) => Promise<void>;
  /** Writing `1` to this file kills everything inside, for whoever outlives the agent. */
  killFile?: string;
  /** Gives back what the kernel holds for it; call it when the processes have ended. */
  release: () => Promise<void>;
}>;

/** How well a node can end what an action started; announced as `process_isolation` in the capabilities. */
export type Isolation = Readonly<{
  /** `process_group`: a process that calls setsid and clears its environment outlives its execution. */
  limit: 'cgroup' | 'process_group';
  /** `marker` is an environment entry, `NAME=value`, that only the processes of this execution have. */
  enclose: (marker?: string) => Enclosure;
}>;

/** The best that this machine offers: a cgroup v2 that we may write to, else process groups. */
export function detectIsolation(log: Logger): Isolation {
  const groups = createProcessGroupIsolation();
  const base = findCgroup(log);
  if (base === undefined) {
    log.info({ processIsolation: groups.limit }, 'no writable cgroup v2');
    return groups;
  }
  return createCgroupIsolation({ base, log, groups });
}
