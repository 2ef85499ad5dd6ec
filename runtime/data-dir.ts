import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MusterError } from '../protocol/errors.js';
import { lockDirectory } from './directory-lock.js';
import { errnoOf } from './errno.js';

/** A data directory that this process alone uses until `release()`. */
export type DataDir = Readonly<{ path: string; release: () => Promise<void> }>;

/**
 * Makes the directory (0700) if need be and claims it for this process.
 * @throws {MusterError} data_dir_unusable, already_running
 */
export async function claimDataDir(directory: string): Promise<DataDir> {
  const path = makeDataDir(directory);
  const lock = await lockDirectory(path);
  return { path, release: lock.release };
}

/**
 * The absolute path of a directory that exists and can be written to.
 * @throws {MusterError} data_dir_unusable
 */
export function makeDataDir(directory: string): string {
  const path = resolve(directory);
  try {
    makeDirectories(path);
    if (!statSync(path).isDirectory()) throw new Error('it is not a directory');
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MusterError('data_dir_unusable', `The directory ${path} cannot be used: ${why}`, { cause });
  }
  return path;
}

/** Node 20's own recursive mkdir never returns where a directory cannot be made in one that exists, such as /proc. */
function makeDirectories(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent)) makeDirectories(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}
