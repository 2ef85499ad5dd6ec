import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

/** Where the local socket lies: in the directory that systemd made for the unit, else in the data directory. */
export const SOCKET_NAME = 'agent.sock';
/** Where a unit of ours has its RuntimeDirectory. */
const RUNTIME_SOCKET = `/run/muster-agent/${SOCKET_NAME}`;
/** sockaddr_un holds no more, with a zero at the end. */
const MAX_SOCKET_PATH_BYTES = 107;

/** The words that ask an agent which runs, instead of starting one. */
const LOCAL_COMMANDS: readonly (string | undefined)[] = ['status', 'actions', 'run'];

export function isLocalCommand(word: string | undefined): boolean {
  return LOCAL_COMMANDS.includes(word);
}

type Env = Readonly<Record<string, string | undefined>>;

/** The socket that an agent serves; undefined when it is to serve none. */
export function servedSocket(
  { local_socket }: Readonly<{ local_socket: string }>,
  { dataDir, env }: { dataDir: string; env: Env },
): string | undefined {
  if (local_socket === 'off') return undefined;
  if (local_socket !== '') return local_socket;
  const runtimeDirectory = env.RUNTIME_DIRECTORY?.split(':', 1)[0] ?? '';
  return join(isAbsolute(runtimeDirectory) ? runtimeDirectory : dataDir, SOCKET_NAME);
}

/** Where a command looks for the agent of this machine, the first that is there. */
export function askedSockets(
  { socket, data }: Readonly<{ socket?: string | undefined; data?: string | undefined }>,
  env: Env,
): string[] {
  const named = socket ?? (data === undefined ? env.MUSTER_AGENT_LOCAL_SOCKET : undefined);
  if (named !== undefined) return [resolve(named)];
  const dataDir = data ?? env.MUSTER_DATA;
  if (dataDir !== undefined) return [resolve(dataDir, 'agent', SOCKET_NAME)];
  if (env.MUSTER_AGENT_DATA_DIR !== undefined) return [resolve(env.MUSTER_AGENT_DATA_DIR, SOCKET_NAME)];
  return [resolve('.muster/agent', SOCKET_NAME), RUNTIME_SOCKET];
}

/** The directory of a socket, held open: nobody can put another one in its place while it is used. */
export type HeldDirectory = Readonly<{
  /** A path of this name in that very directory; short, however long the directory's own is. */
  path: (name: string) => string;
  close: () => void;
}>;

/** What belongs to the socket of this path. */
export type SocketNames = Readonly<{ directory: string; socket: string; callers: string }>;

export function namesOf(socketPath: string): SocketNames {
  const socket = basename(socketPath);
  return { directory: dirname(socketPath), socket, callers: `${socket}.callers` };
}

/** @throws {Error} with an errno when there is no such directory */
export function holdDirectory(directory: string): HeldDirectory {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const throughFd = `/proc/self/fd/${fd}`;
  const base = isSame(throughFd) ? throughFd : directory;
  return { path: (name) => `${base}/${name}`, close: () => closeSync(fd) };
}

/** True when a socket address can hold this path. */
export function fitsSocketAddress(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

/** Linux has a name for every open descriptor; elsewhere the directory's own has to do. */
function isSame(throughFd: string): boolean {
  try {
    return readlinkSync(throughFd) !== '';
  } catch {
    return false;
  }
}
