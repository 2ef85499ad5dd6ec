import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../../runtime/errno.js';
import { findProgram } from '../find-program.js';
import { type Program, type ProgramContext, runProgram } from '../processes.js';
import { socketFilter } from './socket-filter.js';

/** The one sandbox that this release knows. */
export const BUBBLEWRAP = 'bubblewrap';

const PROBE_MS = 5000;
/** A link into /run where a resolver of the node's own runs. */
const RESOLVER_FILE = '/etc/resolv.conf';

/** What the sidecar of a hook says of its sandbox; `writable` are absolute paths. */
export type SandboxWish = Readonly<{
  sandbox: string;
  network?: boolean | undefined;
  writable?: readonly string[] | undefined;
}>;

/** A program as it has to be started, or why it cannot be. */
export type Sandboxed =
  | Readonly<{ kind: 'program'; program: Program }>
  | Readonly<{ kind: 'unavailable'; message: string }>;

/**
 * The program inside the sandbox that its sidecar names. `hiddenDirectories` hold the agent's secrets and its socket; of
 * them the sandbox shows the program's own directory and, writable, its working directory, whatever else is asked to be
 * writable. What is not available is never pretended.
 */
export async function sandboxProgram(
  wish: SandboxWish,
  { program, hiddenDirectories }: { program: Program; hiddenDirectories: readonly string[] },
  { signal, isolation, log }: Omit<ProgramContext, 'output'>,
): Promise<Sandboxed> {
  if (wish.sandbox === 'none') return { kind: 'program', program };
  if (wish.sandbox !== BUBBLEWRAP) return unavailable(`This node has no sandbox named ${wish.sandbox}.`);
  const bwrap = await findProgram('bwrap', program.env.PATH ?? '');
  if (bwrap === undefined) return unavailable('bubblewrap (bwrap) is not installed on the node.');
  for (const path of wish.writable ?? []) {
    const fault = await pathFault(path);
    if (fault !== undefined) return unavailable(`The writable path ${path} cannot be given to the sandbox: ${fault}.`);
  }

  const openings = await openingArgs(wish);
  const hidden = await resolved(hiddenDirectories);
  const inside = (file: string, args: readonly string[]): Program => ({
    ...program,
    file: bwrap,
    args: [...bubblewrapArgs(program, { openings, hidden }), '--', file, ...args],
    ...(wish.network === true ? {} : { fd3: socketFilter() }),
  });
  const probe = await runProgram(
    { ...inside(bwrap, ['--version']), graceMs: 0 },
    { signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]), output: { write: () => {} }, isolation, log },
  );
  if (probe.kind !== 'exited' || probe.exitCode !== 0) return unavailable('bubblewrap does not work on this node.');
  // bwrap adds PWD to the environment; env takes it away again, so that a hook sees the same names everywhere (P-43).
  return { kind: 'program', program: inside('/usr/bin/env', ['-u', 'PWD', program.file, ...program.args]) };
}

/**
 * No network, no capabilities, nothing writable but the working directory and a private /tmp, nothing of /run; then
 * what the sidecar opens; last what hides the agent's own files, so that nothing that was opened shows them.
 */
function bubblewrapArgs(
  { file, cwd }: Program,
  { openings, hidden }: { openings: readonly string[]; hidden: readonly string[] },
): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    ...openings,
    ...hidden.flatMap((directory) => ['--tmpfs', directory]),
    ...['--ro-bind', dirname(file), dirname(file), '--bind', cwd, cwd, '--chdir', cwd],
  ];
}

async function openingArgs({ network = false, writable = [] }: SandboxWish): Promise<string[]> {
  const paths = writable.flatMap((path) => ['--bind', path, path]);
  if (!network) return ['--seccomp', '3', ...paths];
  const resolver = await realpath(RESOLVER_FILE).catch(() => RESOLVER_FILE);
  const names = resolver.startsWith('/run/') ? ['--ro-bind', resolver, resolver] : [];
  return ['--share-net', ...names, ...paths];
}

/** Each before those inside it, or it would cover them up again; without those that are not there. */
async function resolved(directories: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    directories.map((directory) =>
      realpath(directory).catch((error: unknown) => {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }),
    ),
  );
  return found.filter((directory) => directory !== undefined).sort();
}

/** A link could lead to what has to stay hidden, under a name at which nothing hides it. */
async function pathFault(path: string): Promise<string | undefined> {
  try {
    return (await realpath(path)) === path ? undefined : 'a link is part of it';
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'it does not exist' : `${errnoOf(error)}`;
  }
}

function unavailable(message: string): Sandboxed {
  return { kind: 'unavailable', message };
}
