import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { MusterError } from '../../protocol/errors.js';
import { syncDirectory } from '../../runtime/atomic-file.js';
import { errnoOf } from '../../runtime/errno.js';

/** Output that is too large for its result, a file for each execution beside the journal. */
export type Spill = Readonly<{
  /** On disk when it resolves; the bytes that it takes, 0 and no file when there are no payloads. */
  write: (id: string, payloads: Iterable<Buffer>) => Promise<number>;
  /** The payloads by seq; none when the file is gone. */
  read: (id: string) => Buffer[];
  remove: (id: string) => void;
  /** Removes what no execution of these has: left by a crash before its result was recorded. */
  keepOnly: (ids: ReadonlySet<string>) => void;
}>;

const LENGTH_BYTES = 4;

/** A spill in this directory, which exists. Execution ids are UUIDs, so they are safe file names. */
export function createSpill(directory: string): Spill {
  return {
    async write(id, payloads) {
      const file = join(directory, id);
      let handle: FileHandle | undefined;
      let bytes = 0;
      try {
        for (const payload of payloads) {
          handle ??= await open(file, 'w', 0o600);
          bytes += await writeAll(handle, Buffer.concat([lengthPrefix(payload), payload]));
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
    read(id) {
      const payloads: Buffer[] = [];
      const bytes = readIfPresent(join(directory, id));
      for (let at = 0; at + LENGTH_BYTES <= bytes.length; ) {
        const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
        payloads.push(bytes.subarray(at + LENGTH_BYTES, end));
        at = end;
      }
      return payloads;
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

function lengthPrefix(payload: Buffer): Buffer {
  const prefix = Buffer.alloc(LENGTH_BYTES);
  prefix.writeUInt32BE(payload.length);
  return prefix;
}

function readIfPresent(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
