import { createHash, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { errnoOf } from '../../../runtime/errno.js';

/** A hook is read as a whole, so that what is hashed is what runs. */
export const MAX_HOOK_BYTES = 16 * 1024 * 1024;

const OTHERS_MAY_WRITE = 0o022;
const ANYBODY_MAY_EXECUTE = 0o111;

/** Why a file is not taken. */
export type FileFault =
  | 'missing'
  | 'symbolic_link'
  | 'not_regular'
  | 'not_executable'
  | 'writable_by_others'
  | 'too_large'
  | 'unreadable';

export type FileRead =
  | Readonly<{ kind: 'read'; content: Buffer }>
  | Readonly<{ kind: 'refused'; fault: FileFault; errno?: string }>;

/** What a file has to be. The permission bits are asked, not the kernel: root may read and run anything. */
export type FileRule = Readonly<{ maxBytes: number; isExecutable: boolean }>;

/** True for a mode that lets a group or everybody write. */
export function isWritableByOthers(mode: number): boolean {
  return (mode & OTHERS_MAY_WRITE) !== 0;
}

/** The bytes of a file that only its owner may write, opened without following a link and read once. */
export async function readOwnedFile(file: string, rule: FileRule): Promise<FileRead> {
  let handle: FileHandle;
  try {
    // Asked before the open, since opening a device may do something, and again of what was opened.
    const kind = await lstat(file);
    if (kind.isSymbolicLink()) return { kind: 'refused', fault: 'symbolic_link' };
    if (!kind.isFile()) return { kind: 'refused', fault: 'not_regular' };
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return refusalOf(error);
  }
  try {
    const { mode, size, isFile } = await statOf(handle);
    if (!isFile) return { kind: 'refused', fault: 'not_regular' };
    if (rule.isExecutable && (mode & ANYBODY_MAY_EXECUTE) === 0) return { kind: 'refused', fault: 'not_executable' };
    if (isWritableByOthers(mode)) return { kind: 'refused', fault: 'writable_by_others' };
    const content = size > rule.maxBytes ? undefined : await readUpTo(handle, rule.maxBytes);
    return content === undefined ? { kind: 'refused', fault: 'too_large' } : { kind: 'read', content };
  } catch (error) {
    return { kind: 'refused', fault: 'unreadable', errno: errnoOf(error) ?? 'unknown' };
  } finally {
    await handle.close();
  }
}

/** SHA-256, lower-case hex. The one hash of hooks: of discovery, and of the check before each run (P-96). */
export function hashHook(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** Compares two checksums without telling by its time how much of them agrees. */
export function isSameChecksum(one: string, other: string): boolean {
  const left = Buffer.from(one);
  const right = Buffer.from(other);
  return left.length === right.length && timingSafeEqual(left, right);
}

function refusalOf(error: unknown): FileRead {
  const errno = errnoOf(error) ?? 'unknown';
  if (errno === 'ENOENT') return { kind: 'refused', fault: 'missing' };
  return errno === 'ELOOP'
    ? { kind: 'refused', fault: 'symbolic_link' }
    : { kind: 'refused', fault: 'unreadable', errno };
}

async function statOf(handle: FileHandle): Promise<{ mode: number; size: number; isFile: boolean }> {
  const stat = await handle.stat();
  return { mode: stat.mode, size: stat.size, isFile: stat.isFile() };
}

/** Undefined when there is more: the file has grown since its size was asked. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of handle.createReadStream({ autoClose: false, end: maxBytes })) {
    parts.push(part);
    size += part.length;
  }
  return size > maxBytes ? undefined : Buffer.concat(parts);
}
