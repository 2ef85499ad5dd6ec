import { join } from 'node:path';
import type { execa } from 'execa';

/**
 * Waits for a line from the agent. End of input without one means that the agent has died: then it kills the cgroup, if
 * there is one, the process group, and whoever has all entries of the marker in its environment, until a round finds
 * nobody. Fixed text; `$1` is the leader, `$2` the kill file of the cgroup or nothing, the rest the marker.
 *
 * A round starts one grep for each entry, and each looks only where those before it found theirs: with several keepers
 * on a small machine a process for each process would take seconds. The shell and its greps have the marker among their
 * arguments and not in their environment, so they never find themselves. The bound is for who sleeps uninterruptibly.
 */
export const KEEPER_SCRIPT = `
read -r _ && exit 0
[ -z "$2" ] || echo 1 > "$2"
kill -s KILL -- "-$1"
shift 2
[ $# -gt 0 ] || exit 0
marked() {
  files=$(echo /proc/[0-9]*/environ)
  for entry; do
    files=$(grep -lszxF -e "$entry" $files)
    [ -n "$files" ] || return 1
  done
}
round=0
while [ $round -lt 20 ] && marked "$@"; do
  for file in $files; do
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}"
  done
  round=$((round + 1))
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
  const keeper = start('/bin/sh', ['-c', KEEPER_SCRIPT, 'muster-keeper', String(leader), killFile, ...entries], {
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
