import { join } from 'node:path';
import type { execa } from 'execa';

/**
 * Waits for a line from the agent. End of input without one means that the agent has died: then it kills the cgroup, if
 * there is one, the process group, and whoever has all entries of the marker in its environment, once more for those
 * that were forked meanwhile. Fixed text; what varies comes as arguments.
 */
const SCRIPT = `
read -r _ && exit 0
[ -z "$2" ] || echo 1 > "$2"
kill -s KILL -- "-$1"
shift 2
[ $# -gt 0 ] || exit 0
has_all() {
  directory=$1
  shift
  for entry; do grep -qzxF -e "$entry" "$directory/environ" || return 1; done
}
for round in 1 2 3; do
  for each in /proc/[0-9]*; do has_all "$each" "$@" && kill -s KILL "\${each#/proc/}"; done
done
`;

/** Whom a keeper ends: the group of the leader, and what else is known of the execution. */
export type Kept = Readonly<{
  leader: number;
  cgroup?: string | undefined;
  /** Needed where there is no cgroup. */
  marker?: readonly string[] | undefined;
}>;

/**
 * Starts a small process that ends the execution's processes should the agent be killed, which gives it no chance to do
 * so itself. (The parent-death signal would reach the first process alone.) Where there is no /bin/sh there is no keeper.
 * Returns when it has been forked: the sooner after its leader the better.
 */
export function startKeeper(start: typeof execa, { leader, cgroup, marker = [] }: Kept): { dismiss: () => void } {
  const killFile = cgroup === undefined ? '' : join(cgroup, 'cgroup.kill');
  const entries = cgroup === undefined ? marker : [];
  const keeper = start('/bin/sh', ['-c', SCRIPT, 'muster-keeper', String(leader), killFile, ...entries], {
    reject: false,
    detached: true, // what kills the agent's process group must not take the keeper with it
    stdio: ['pipe', 'ignore', 'ignore'],
    extendEnv: false,
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
  });
  keeper.stdin.on('error', () => {}); // EPIPE: it has ended already
  return { dismiss: () => keeper.stdin.end('\n') };
}
