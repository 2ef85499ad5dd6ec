import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { errnoOf } from '../../../runtime/errno.js';

/** An open file, or why there is none: not on the list, or a fault that the reader is told in a sentence. */
export type AllowedFile =
  | Readonly<{ kind: 'open'; handle: FileHandle; file: string }>
  | Readonly<{ kind: 'not_allowed' }>
  | Readonly<{ kind: 'failed'; message: string }>;

/** Files and directories that may be read, and directories that may not whatever the first list says. */
export type FileRule = Readonly<{ allowed: readonly string[]; hidden: readonly string[] }>;

/** Memory, environment and open files of processes hold secrets. */
const OF_A_PROCESS = /^\/proc\/\d+(\/|$)/;

/**
 * Opens a regular file for reading if it lies where the rule allows, links resolved. Nothing is opened or looked at
 * that the list does not cover as it is spelled, and what was opened is compared once more: in between somebody may
 * have put a link where a directory was. Close the handle.
 */
export async function openAllowedFile(path: string, rule: FileRule): Promise<AllowedFile> {
  if (!isAbsolute(path) || path.includes('\0')) return { kind: 'not_allowed' };
  const asked = resolve(path);
  if (!rule.allowed.some((entry) => isWithin(asked, resolve(entry)))) return { kind: 'not_allowed' };
  try {
    const file = await realpath(asked);
    const isAllowed = await createCheck(rule);
    if (!isAllowed(file)) return { kind: 'not_allowed' };
    // To open a device can have effects, so its kind is asked first.
    if (!(await lstat(file)).isFile()) return { kind: 'failed', message: `${asked} is not a regular file` };
    return await openChecked(file, isAllowed);
  } catch (error) {
    return { kind: 'failed', message: cannotBeRead(asked, error) };
  }
}

/**
 * What the reader of a file is told of why it cannot be opened or read.
 * @throws {unknown} what is no answer of the system
 */
export function cannotBeRead(path: string, error: unknown): string {
  const errno = errnoOf(error);
  if (errno === undefined) throw error;
  return `${path} cannot be read: ${errno}`;
}

async function openChecked(file: string, isAllowed: (file: string) => boolean): Promise<AllowedFile> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
  const handle = await open(file, flags);
  let isKept = false;
  try {
    if (!isAllowed(await readlink(`/proc/self/fd/${handle.fd}`))) return { kind: 'not_allowed' };
    if (!(await handle.stat()).isFile()) return { kind: 'failed', message: `${file} is not a regular file` };
    isKept = true;
    return { kind: 'open', handle, file };
  } finally {
    if (!isKept) await handle.close();
  }
}

/** The lists themselves may be spelled with links: `/var/run` is one nearly everywhere. */
async function createCheck({ allowed, hidden }: FileRule): Promise<(file: string) => boolean> {
  const open = await resolved(allowed);
  const closed = await resolved(hidden);
  return (file) =>
    open.some((entry) => isWithin(file, entry)) &&
    !closed.some((entry) => isWithin(file, entry)) &&
    !OF_A_PROCESS.test(file);
}

async function resolved(entries: readonly string[]): Promise<string[]> {
  const found = await Promise.all(entries.map((entry) => realpath(entry).catch(() => undefined)));
  return found.filter((entry) => entry !== undefined);
}

function isWithin(path: string, entry: string): boolean {
  return path === entry || path.startsWith(entry.endsWith('/') ? entry : `${entry}/`);
}
