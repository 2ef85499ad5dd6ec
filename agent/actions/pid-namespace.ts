import { once } from 'node:events';
import { getSystemErrorMap } from 'node:util';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';
import { findProgram } from './find-program.js';
import type { Command, Enclosure, Isolation } from './isolation.js';
import { membersOf, signalGroup, signalProcess } from './process-group.js';
import { within } from './waiting.js';

/** Making a namespace takes a few milliseconds; a machine that needs this long for it is in trouble. */
const READY_MS = 5_000;
/** The kernel empties a namespace at once, unless somebody inside sleeps uninterruptibly. */
const EMPTY_MS = 1_000;

/**
 * The first process of a namespace. It says that it is there, and ends when the agent closes its input or is gone; with
 * it the kernel kills everybody else. It waits in a child, so that it can collect what was orphaned meanwhile, and
 * takes another one should somebody kill that child.
 */
const INIT = 'echo; while cat > /dev/null; [ $? -gt 128 ]; do :; done';

/** What nsenter says, and how it ends, when it cannot execute the program. */
const EXEC_FAILED = /^nsenter: failed to execute .*: (.+)\n$/s;
const EXEC_FAILED_CODES = [126, 127];
/** How it ends, and begins to say so, when the namespace cannot be entered. */
const ENTER_FAILED_CODE = 1;
const ENTER_FAILED = /^nsenter: /;

/** The programs of util-linux that we need, by their full names. */
type Tools = Readonly<{ unshare: string; nsenter: string; isRoot: boolean }>;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** PID namespaces, when this machine lets the agent make some: as root, or inside a user namespace. */
export async function findPidNamespaces(log: Logger): Promise<Isolation | undefined> {
  const [unshare, nsenter] = await Promise.all([findProgram('unshare', PATH), findProgram('nsenter', PATH)]);
  if (unshare === undefined || nsenter === undefined) return undefined;
  const isolation = createPidNamespaceIsolation({ unshare, nsenter, isRoot: process.geteuid?.() === 0 });
  try {
    return (await canEnter(isolation)) ? isolation : undefined;
  } catch (err) {
    log.debug({ errno: errnoOf(err) }, 'pid namespaces cannot be used');
    return undefined;
  }
}

/**
 * Encloses in a PID namespace of its own: what is inside cannot leave, and cannot outlive its first process. When that
 * is ended by others before the program starts, the errno is `ESRCH`; `ETIMEDOUT` when it does not come up.
 */
export function createPidNamespaceIsolation(tools: Tools): Isolation {
  return {
    limit: 'pid_namespace',
    async enclose() {
      const { execa } = await import('execa');
      const init = execa(tools.unshare, [...namespaces(tools), '--fork', '--kill-child', '--', '/bin/sh', '-c', INIT], {
        reject: false,
        detached: true, // what ends the agent's process group must not end the namespace before its time
        stdio: ['pipe', 'pipe', 'ignore'],
        buffer: false,
        extendEnv: false,
        env: { PATH },
        cwd: '/',
      });
      init.stdin.on('error', () => {}); // EPIPE: it has ended already
      let isBroken = false;
      const ended = init.then(({ exitCode }) => {
        isBroken = exitCode !== 0; // it ends with 0 when we close its input
        return 'ended' as const;
      });
      const ready = once(init.stdout, 'data').then(
        () => 'ready' as const,
        () => 'ended' as const,
      );
      const end = async (): Promise<void> => {
        init.stdin.end();
        if ((await within(ended, EMPTY_MS)) !== undefined) return;
        init.kill('SIGKILL'); // and its child with it, by --kill-child
        await within(ended, EMPTY_MS);
      };
      const state = await within(Promise.race([ready, ended]), READY_MS);
      if (init.pid === undefined || state !== 'ready') {
        await end();
        const code = init.pid === undefined ? (await init).code : state === 'ended' ? 'ESRCH' : 'ETIMEDOUT';
        throw Object.assign(new Error('a pid namespace could not be made'), { code });
      }
      return encloseIn(init.pid, tools, { end, isBroken: () => isBroken });
    },
  };
}

function encloseIn(
  init: number,
  tools: Tools,
  { end, isBroken }: { end: () => Promise<void>; isBroken: () => boolean },
): Enclosure {
  let leader: number | undefined;
  return {
    lead: (command) => ({ ...command, file: tools.nsenter, args: enterArgs(init, tools, command) }),
    start(spawn) {
      const child = spawn();
      leader = child.pid;
      return child;
    },
    notStarted(exitCode, stderr) {
      // The program may be an nsenter of the hook's own: only of a namespace that broke is it ours.
      if (exitCode === ENTER_FAILED_CODE && isBroken() && ENTER_FAILED.test(stderr)) return 'ESRCH';
      const reason = EXEC_FAILED_CODES.includes(exitCode) ? EXEC_FAILED.exec(stderr)?.[1] : undefined;
      return reason === undefined ? undefined : toErrno(reason);
    },
    terminate() {
      if (leader === undefined) return;
      // nsenter waits for the program outside of the namespace: should it end first, only init could collect it.
      const members = membersOf(leader).filter((pid) => pid !== leader);
      for (const pid of members.length > 0 ? members : [leader]) signalProcess(pid, 'SIGTERM');
    },
    isEmpty: () => leader === undefined || !signalGroup(leader, 0),
    kill: end,
    endsWithAgent: true,
    release: end,
  };
}

/** `unchanged`: what a hook mounts stays mounted, as it does without a namespace. */
function namespaces({ isRoot }: Tools): string[] {
  const shared = ['--pid', '--mount-proc', '--propagation=unchanged'];
  return isRoot ? shared : ['--user', '--map-current-user', ...shared];
}

function enterArgs(init: number, { isRoot }: Tools, { file, args, cwd }: Command): string[] {
  const user = isRoot ? [] : ['--user', '--preserve-credentials'];
  const where = [`--target=${init}`, ...user, '--mount', `--pid=/proc/${init}/ns/pid_for_children`, `--wdns=${cwd}`];
  return [...where, '--', file, ...args];
}

/** Whether a program inside is what it is elsewhere: its exit code comes back. */
async function canEnter(isolation: Isolation): Promise<boolean> {
  const { execa } = await import('execa');
  const enclosure = await isolation.enclose();
  try {
    const { file, args } = enclosure.lead({ file: '/bin/sh', args: ['-c', 'exit 42'], cwd: '/' });
    const options = { reject: false, stdio: 'ignore', extendEnv: false, env: {}, cwd: '/', timeout: READY_MS } as const;
    return (await enclosure.start(() => execa(file, args, options))).exitCode === 42;
  } finally {
    await enclosure.release();
  }
}

/** What execve(2) fails with and glibc words otherwise than Node does. */
const GLIBC_TEXTS: ReadonlyMap<string, string> = new Map([
  ['Cannot allocate memory', 'ENOMEM'],
  ['File name too long', 'ENAMETOOLONG'],
  ['Input/output error', 'EIO'],
  ['Is a directory', 'EISDIR'],
  ['Text file busy', 'ETXTBSY'],
  ['Too many levels of symbolic links', 'ELOOP'],
  ['Too many open files in system', 'ENFILE'],
]);

/** From the text of strerror(3) in the C locale, which is the only one that a program of ours has. */
function toErrno(reason: string): string {
  const known = GLIBC_TEXTS.get(reason);
  if (known !== undefined) return known;
  for (const [name, text] of getSystemErrorMap().values()) if (text === reason.toLowerCase()) return name;
  return 'unknown';
}
