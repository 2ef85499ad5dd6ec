import type { execa } from 'execa';

/**
 * Waits for a line from the agent. End of input without one means that the agent has died: then it kills the cgroup,
 * if there is one, and the process group. Fixed text; what varies comes as arguments.
 */
const SCRIPT = 'read -r _ && exit 0; [ -z "$2" ] || echo 1 > "$2"; kill -s KILL -- "-$1"';

/**
 * Starts a small process that ends the execution's processes should the agent be killed, which gives it no chance to do
 * so itself. (The parent-death signal would reach the first process alone.) Where there is no /bin/sh there is no keeper.
 * Returns when it has been forked: the sooner after its leader the better.
 */
export function startKeeper(start: typeof execa, leader: number, killFile = ''): { dismiss: () => void } {
  const keeper = start('/bin/sh', ['-c', SCRIPT, 'muster-keeper', String(leader), killFile], {
    reject: false,
    detached: true, // what kills the agent's process group must not take the keeper with it
    stdio: ['pipe', 'ignore', 'ignore'],
    extendEnv: false,
    env: {},
    cwd: '/',
  });
  keeper.stdin.on('error', () => {}); // EPIPE: it has ended already
  return { dismiss: () => keeper.stdin.end('\n') };
}
