import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { errnoOf } from '../../runtime/errno.js';
import { fitsSocketAddress, type HeldDirectory, holdDirectory } from '../../runtime/held-directory.js';
import { namesOf } from './place.js';
import { identityOf, type SocketIdentity } from './proof.js';

/** A listening socket that callers of this machine may reach. */
export type LocalListener = Readonly<{ stop: () => Promise<void> }>;

/** Where callers put their proofs, and which socket they have come over. */
export type Door = Readonly<{ callers: string; socket: SocketIdentity }>;

/**
 * Listens at `path`. A socket that an agent left behind is replaced; one that answers is left alone. Without
 * `isShared` only root and this process's own user reach it at all; with it everybody does, and has to prove who it is.
 * @throws {MusterError} already_running, data_dir_unusable
 */
export async function listenLocally({
  path,
  isShared,
  onCaller,
}: {
  path: string;
  isShared: boolean;
  onCaller: (socket: Socket, door: Door) => void;
}): Promise<LocalListener> {
  const names = namesOf(path);
  let held: HeldDirectory | undefined;
  try {
    makeDirectory(names.directory, isShared ? 0o711 : 0o700);
    held = holdDirectory(names.directory);
    const address = held.path(names.socket);
    if (!fitsSocketAddress(address)) throw new Error('the path is too long for a socket');
    const callers = held.path(names.callers);
    prepareCallers(callers, isShared);
    await removeStale(address, path);
    let door: Door | undefined;
    const server = createServer({ allowHalfOpen: false }, (socket) => {
      if (door === undefined) socket.destroy();
      else onCaller(socket, door);
    });
    await bind(server, address);
    chmodSync(address, isShared ? 0o666 : 0o600);
    door = { callers, socket: identityOf(address) };
    return { stop: () => stop(server, held) };
  } catch (cause) {
    held?.close();
    if (cause instanceof MusterError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('data_dir_unusable', `The local socket ${path} cannot be served: ${why}`, { cause });
  }
}

function makeDirectory(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Ours, empty as far as links and files go, and sticky: who writes into it cannot touch what others have put there.
 * Directories in it are not followed: whoever made them could lead us elsewhere.
 */
function prepareCallers(callers: string, isShared: boolean): void {
  makeDirectory(callers, 0o700);
  const stats = lstatSync(callers);
  if (!stats.isDirectory() || stats.uid !== process.getuid?.())
    throw new Error(`${callers} is not a directory of ours`);
  const mode = isShared ? 0o1733 : 0o700;
  chmodSync(callers, mode);
  if ((lstatSync(callers).mode & 0o7777) !== mode) throw new Error('the file system keeps no modes');
  for (const name of readdirSync(callers)) {
    try {
      unlinkSync(`${callers}/${name}`);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
    }
  }
}

/** Whether users other than the owner may pass to a file of this directory. */
export function isOpenToOthers(directory: string): boolean {
  const parent = dirname(directory);
  return (statSync(directory).mode & 0o001) !== 0 && (parent === directory || isOpenToOthers(parent));
}

/** @throws {MusterError} already_running */
async function removeStale(address: string, path: string): Promise<void> {
  try {
    if (!lstatSync(address).isSocket()) throw new Error('there is something else of this name');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  if (await answers(address)) throw new MusterError('already_running', `Another agent already serves ${path}`);
  unlinkSync(address);
}

function answers(address: string): Promise<boolean> {
  return new Promise((told) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      told(true);
    });
    socket.once('error', (error) => told(errnoOf(error) !== 'ECONNREFUSED')); // one that is only busy lives, too
  });
}

function bind(server: Server, address: string): Promise<void> {
  return new Promise((bound, failed) => {
    server.once('error', failed);
    server.listen(address, () => {
      server.off('error', failed);
      bound();
    });
  });
}

function stop(server: Server, held: HeldDirectory | undefined): Promise<void> {
  return new Promise((done) => {
    server.close(() => {
      held?.close(); // the socket's name is removed through it
      done();
    });
  });
}
