import { closeSync, constants, openSync, readlinkSync } from 'node:fs';

/** sockaddr_un holds no more, with a zero at the end. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A directory that is held open: nobody can put another one in its place while it is used. */
export type HeldDirectory = Readonly<{
  /** A path of this name in that very directory; short, however long the directory's own is. */
  path: (name: string) => string;
  close: () => void;
}>;

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
