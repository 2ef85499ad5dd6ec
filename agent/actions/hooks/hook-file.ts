import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { errnoOf } from '../../../runtime/errno.js';
import { HEAD_BYTES } from './first-line.js';

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

/** Why a file was not taken. */
export type FileRefusal = Readonly<{ kind: 'refused'; fault: FileFault; errno?: string }>;

export type FileRead = Readonly<{ kind: 'read'; content: Buffer }> | FileRefusal;

/** What discovery needs of a hook: its checksum, and the bytes that say what runs it. */
export type HookScan = Readonly<{ kind: 'read'; checksum: string; head: Buffer }> | FileRefusal;

/** What a file has to be. The permission bits are asked, not the kernel: root may read and run anything. */
export type FileRule = Readonly<{ maxBytes: number; isExecutable: boolean }>;

/** True for a mode that lets a group or everybody write. */
export function isWritableByOthers(mode: number): boolean {
  return (mode & OTHERS_MAY_WRITE) !== 0;
}

/** The bytes of a file that only its owner may write, opened without following a link and read once. */
export async function readOwnedFile(file: string, rule: FileRule): Promise<FileRead> {
  const parts: Buffer[] = [];
  const refusal = await passThrough(file, rule, (part) => parts.push(part));
  return refusal ?? { kind: 'read', content: Buffer.concat(parts) };
}

/** Reads a hook part by part: whatever its size, no more than a part of it is held. */
export async function scanHook(file: string): Promise<HookScan> {
  const hash = startHash();
  let head = Buffer.alloc(0);
  const refusal = await passThrough(file, { maxBytes: MAX_HOOK_BYTES, isExecutable: true }, (part) => {
    hash.update(part);
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, part.subarray(0, HEAD_BYTES - head.length)]);
  });
  return refusal ?? { kind: 'read', checksum: hash.digest('hex'), head };
}

async function passThrough(
  file: string,
  rule: FileRule,
  take: (part: Buffer) => void,
): Promise<FileRefusal | undefined> {
  let handle: FileHandle;
  try {
    // Asked before the open, since opening a device may do something, and again of what was opened.
    const fault = faultOf(await lstat(file), rule);
    if (fault !== undefined) return { kind: 'refused', fault };
    // O_NONBLOCK: opening a FIFO would wait for a writer.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return refusalOf(error);
  }
  try {
    const fault = faultOf(await handle.stat(), rule) ?? (await readUpTo(handle, rule.maxBytes, take));
    return fault === undefined ? undefined : { kind: 'refused', fault };
  } catch (error) {
    return refusalOf(error);
  } finally {
    await handle.close();
  }
}

/** SHA-256, lower-case hex. The one hash of hooks: of discovery, and of the check before each run (P-96). */
export function hashHook(content: Uint8Array): string {
  return startHash().update(content).digest('hex');
}

/** Compares two checksums without telling by its time how much of them agrees. */
export function isSameChecksum(one: string, other: string): boolean {
  const left = Buffer.from(one);
  const right = Buffer.from(other);
  return left.length === right.length && timingSafeEqual(left, right);
}

function startHash(): Hash {
  return createHash('sha256');
}

function faultOf(stat: Stats, { maxBytes, isExecutable }: FileRule): FileFault | undefined {
  if (stat.isSymbolicLink()) return 'symbolic_link';
  if (!stat.isFile()) return 'not_regular';
  if (isExecutable && (stat.mode & ANYBODY_MAY_EXECUTE) === 0) return 'not_executable';
  if (isWritableByOthers(stat.mode)) return 'writable_by_others';
  return stat.size > maxBytes ? 'too_large' : undefined;
}

function refusalOf(error: unknown): FileRefusal {
  const errno = errnoOf(error) ?? 'unknown';
  if (errno === 'ENOENT') return { kind: 'refused', fault: 'missing' };
  return errno === 'ELOOP'
    ? { kind: 'refused', fault: 'symbolic_link' }
    : { kind: 'refused', fault: 'unreadable', errno };
}

/** It may have grown since its size was asked. */
async function readUpTo(
  handle: FileHandle,
  maxBytes: number,
  take: (part: Buffer) => void,
): Promise<FileFault | undefined> {
  let size = 0;
  for await (const part of handle.createReadStream({ autoClose: false, end: maxBytes })) {
    size += part.length;
    take(part);
  }
  return size > maxBytes ? 'too_large' : undefined;
}
