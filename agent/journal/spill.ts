import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { syncDirectory } from '../../runtime/atomic-file.js';
import { errnoOf } from '../../runtime/errno.js';
import type { Logger } from '../../runtime/logger.js';

/** Output that is too large for its result, a file for each execution beside the journal. */
export type Spill = Readonly<{
  /** On disk when it resolves; the bytes that it takes, 0 and no file when there are no payloads. */
  write: (id: string, payloads: Iterable<Buffer>) => Promise<number>;
  /**
   * The payloads by seq, from this one on, each read when it is wanted. Ends at the first that the disk has lost or
   * altered, and logs that.
   */
  read: (id: string, fromSeq: number) => Generator<Buffer, void>;
  remove: (id: string) => void;
  /** Removes what no execution of these has: left by a crash before its result was recorded. */
  keepOnly: (ids: ReadonlySet<string>) => void;
}>;

/** A record is length u32 ‖ check 16 ‖ payload. */
const LENGTH_BYTES = 4;
const CHECK_BYTES = 16;
const HEADER_BYTES = LENGTH_BYTES + CHECK_BYTES;

/** A spill in this directory, which exists. Execution ids are UUIDs, so they are safe file names. */
export function createSpill(directory: string, log: Logger): Spill {
  return {
    async write(id, payloads) {
      const file = join(directory, id);
      let handle: FileHandle | undefined;
      let bytes = 0;
      try {
        let seq = 0;
        for (const payload of payloads) {
          handle ??= await open(file, 'w', 0o600);
          bytes += await writeAll(handle, toRecord(id, seq, payload));
          seq += 1;
        }
        await handle?.datasync();
      } catch (error) {
        rmSync(file, { force: true }); // a full disk needs the room
        throw error;
      } finally {
        await handle?.close();
      }
      if (bytes > 0) syncDirectory(directory);
      return bytes;
    },
    *read(id, fromSeq) {
      const file = openIfPresent(join(directory, id));
      if (file === undefined) return log.error({ execution_id: id }, 'kept output is gone');
      try {
        const size = fstatSync(file).size;
        for (let seq = 0, at = 0; at < size; seq += 1) {
          const record = readRecord(file, at, size);
          if (record === undefined || !record.check.equals(checkOf(id, seq, record.payload))) {
            return log.error({ execution_id: id, seq }, 'kept output is damaged');
          }
          at += HEADER_BYTES + record.payload.length;
          if (seq >= fromSeq) yield record.payload;
        }
      } finally {
        closeSync(file);
      }
    },
    remove: (id) => rmSync(join(directory, id), { force: true }),
    keepOnly(ids) {
      for (const name of readdirSync(directory)) if (!ids.has(name)) rmSync(join(directory, name), { force: true });
    },
  };
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<number> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written);
    if (bytesWritten === 0) throw new MusterError('storage_failed', 'the disk took no bytes');
    written += bytesWritten;
  }
  return bytes.length;
}

function toRecord(id: string, seq: number, payload: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(payload.length);
  return Buffer.concat([length, checkOf(id, seq, payload), payload]);
}

/** Undefined when the file is too short for what stands there. */
function readRecord(file: number, at: number, size: number): { check: Buffer; payload: Buffer } | undefined {
  const header = readAt(file, at, HEADER_BYTES);
  if (header.length < HEADER_BYTES) return undefined;
  const length = header.readUInt32BE(0);
  const start = at + HEADER_BYTES;
  if (start + length > size) return undefined;
  return { check: header.subarray(LENGTH_BYTES), payload: readAt(file, start, length) };
}

/** SHA-256 over the payload and its place, so that no piece is altered or moved unseen; cut to 16 bytes. */
function checkOf(id: string, seq: number, payload: Buffer): Buffer {
  return createHash('sha256').update(`${id}/${seq}\n`).update(payload).digest().subarray(0, CHECK_BYTES);
}

/** Fewer bytes past the end of the file. */
function readAt(file: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const count = readSync(file, bytes, done, length - done, at + done);
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
}

function openIfPresent(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
