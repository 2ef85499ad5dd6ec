import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

/** Where the local socket lies: in the directory that systemd made for the unit, else in the data directory. */
export const SOCKET_NAME = 'agent.sock';
/** Where a unit of ours has its RuntimeDirectory. */
const RUNTIME_SOCKET = `/run/muster-agent/${SOCKET_NAME}`;

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

/** What belongs to the socket of this path. */
export type SocketNames = Readonly<{ directory: string; socket: string; callers: string }>;

export function namesOf(socketPath: string): SocketNames {
  const socket = basename(socketPath);
  return { directory: dirname(socketPath), socket, callers: `${socket}.callers` };
}
