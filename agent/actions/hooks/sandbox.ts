import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { type Program, type ProgramContext, runProgram } from '../processes.js';

const PROBE_MS = 5000;

/** A program as it has to be started, or why it cannot be. */
export type Sandboxed =
  | Readonly<{ kind: 'program'; program: Program }>
  | Readonly<{ kind: 'unavailable'; message: string }>;

/**
 * The program inside the sandbox that its sidecar names. `hiddenDirectory` holds the agent's secrets; of it the sandbox
 * shows the program's own directory and, writable, its working directory. What is not available is never pretended.
 */
export async function sandboxProgram(
  sandbox: string,
  { program, hiddenDirectory }: { program: Program; hiddenDirectory: string },
  { signal, isolation, log }: Omit<ProgramContext, 'output'>,
): Promise<Sandboxed> {
  if (sandbox === 'none') return { kind: 'program', program };
  if (sandbox !== 'bubblewrap') return unavailable(`This node has no sandbox named ${sandbox}.`);
  const bwrap = await findProgram('bwrap', program.env.PATH ?? '');
  if (bwrap === undefined) return unavailable('bubblewrap (bwrap) is not installed on the node.');

  const hidden = await realpath(hiddenDirectory);
  const inside = (file: string, args: readonly string[]): Program => ({
    ...program,
    file: bwrap,
    args: [...bubblewrapArgs(program, hidden), '--', file, ...args],
  });
  const probe = await runProgram(
    { ...inside(bwrap, ['--version']), graceMs: 0 },
    { signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]), output: { write: () => {} }, isolation, log },
  );
  if (probe.kind !== 'exited' || probe.exitCode !== 0) return unavailable('bubblewrap does not work on this node.');
  // bwrap adds PWD to the environment; env takes it away again, so that a hook sees the same names everywhere (P-43).
  return { kind: 'program', program: inside('/usr/bin/env', ['-u', 'PWD', program.file, ...program.args]) };
}

/** No network, no capabilities, nothing writable but the working directory and a private /tmp, no sockets of /run. */
function bubblewrapArgs({ file, cwd }: Program, hiddenDirectory: string): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--cap-drop', 'ALL'],
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    ...['--tmpfs', hiddenDirectory, '--ro-bind', dirname(file), dirname(file), '--bind', cwd, cwd, '--chdir', cwd],
  ];
}

/** The first executable of this name on a PATH. */
async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const directory of path.split(delimiter)) {
    const file = join(directory, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (directory !== '' && isThere) return file;
  }
  return undefined;
}

function unavailable(message: string): Sandboxed {
  return { kind: 'unavailable', message };
}
