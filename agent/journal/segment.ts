import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  write,
} from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { MusterError } from '../../protocol/errors.js';
import { syncDirectory } from '../../runtime/atomic-file.js';
import { CHAIN_START, encodeFrame, FRAME_HEADER_BYTES, readFrame } from './frame.js';
import { decodeRecords, type PlacedRecord } from './records.js';

/** The journal file that is being appended to. */
export type Segment = Readonly<{
  readonly size: number;
  /**
   * Writes one frame; on disk when it resolves, with the place where its body begins. After a failure the segment must
   * not be written to any more: what the kernel holds of it is unknown.
   */
  append: (body: readonly Buffer[]) => Promise<number>;
  /** Bytes that an earlier append wrote. */
  read: (offset: number, length: number) => Buffer;
  close: () => void;
}>;

/** What was found in a journal file. `cutBytes` counts those of a torn last write, already cut off. */
export type OpenedSegment = Readonly<{ segment: Segment; cutBytes: number }>;

const writeBytes = promisify(write);
const syncData = promisify(fdatasync);

/**
 * Opens a journal file and hands out its records in order. A torn tail is cut off durably, since the next append must
 * not join it.
 * @throws {MusterError} payload_malformed: damage that no torn write explains, or records that are not ours
 */
export function openSegment(file: string, take: (placed: PlacedRecord) => void): OpenedSegment {
  const descriptor = openSync(file, 'r+');
  try {
    const size = fstatSync(descriptor).size;
    const source = { size, read: (offset: number, length: number) => readUpTo(descriptor, offset, length) };
    let end = 0;
    let digest = CHAIN_START;
    while (end < size) {
      const frame = readFrame(source, end, digest);
      if (frame.kind === 'torn' && end > 0) break;
      if (frame.kind !== 'good') throw new MusterError('payload_malformed', `the journal is damaged at byte ${end}`);
      for (const placed of decodeRecords(frame.body, end + FRAME_HEADER_BYTES)) take(placed);
      ({ end, digest } = frame);
    }
    if (end === 0) throw new MusterError('payload_malformed', 'the journal is empty');
    if (end < size) {
      ftruncateSync(descriptor, end);
      fdatasyncSync(descriptor);
    }
    return { segment: createSegment(descriptor, { size: end, digest, sync: true }).segment, cutBytes: size - end };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * Puts a whole new journal file in place of `file`: written beside it, brought to disk, renamed, its name brought to
 * disk. Each body becomes a frame; `placed` is told where it begins.
 */
export async function replaceSegment(
  file: string,
  bodies: Iterable<readonly Buffer[]>,
  placed: (bodyOffset: number) => void,
): Promise<Segment> {
  const temporary = `${file}.new`;
  const descriptor = openSync(temporary, 'w+', 0o600);
  try {
    const { segment, syncFromNowOn } = createSegment(descriptor, { size: 0, digest: CHAIN_START, sync: false });
    for (const body of bodies) placed(await segment.append(body));
    await syncFromNowOn();
    renameSync(temporary, file);
    syncDirectory(dirname(file));
    return segment;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function createSegment(
  descriptor: number,
  from: { size: number; digest: Buffer; sync: boolean },
): { segment: Segment; syncFromNowOn: () => Promise<void> } {
  let { size, digest, sync } = from;
  const segment: Segment = {
    get size() {
      return size;
    },
    async append(body) {
      const frame = encodeFrame(digest, body);
      await writeWhole(descriptor, Buffer.concat([frame.header, ...body]), size);
      if (sync) await syncData(descriptor);
      const bodyOffset = size + FRAME_HEADER_BYTES;
      size = bodyOffset + body.reduce((sum, part) => sum + part.length, 0);
      digest = frame.digest;
      return bodyOffset;
    },
    read(offset, length) {
      const bytes = readUpTo(descriptor, offset, length);
      if (bytes.length < length) throw new MusterError('storage_failed', 'the journal file has become shorter');
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
  const syncFromNowOn = async (): Promise<void> => {
    sync = true;
    await syncData(descriptor);
  };
  return { segment, syncFromNowOn };
}

/** A full disk takes a part of the bytes without an error; the next try then says ENOSPC. */
async function writeWhole(descriptor: number, bytes: Buffer, offset: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await writeBytes(descriptor, bytes, written, bytes.length - written, offset + written);
    if (bytesWritten === 0) throw new MusterError('storage_failed', 'the disk took no bytes');
    written += bytesWritten;
  }
}

function readUpTo(descriptor: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let got = 0;
  while (got < length) {
    const read = readSync(descriptor, bytes, got, length - got, offset + got);
    if (read === 0) break;
    got += read;
  }
  return bytes.subarray(0, got);
}
