import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { MusterError } from '../../protocol/errors.js';
import { encodeFrame, FRAME_HEADER_BYTES, firstPrevious, readFrame } from './frame.js';
import { decodeRecords, type JournalRecord, type PlacedRecord } from './records.js';

/** Where a file ends that the next frame follows, and what that frame is chained to. */
export type SegmentEnd = Readonly<{ size: number; digest: Buffer }>;

const writeBytes = promisify(write);
const syncData = promisify(fdatasync);

/**
 * Writes one frame at the end of a file; on disk when it resolves. Gives the new end, and where the body begins. After
 * a failure nobody knows what the disk holds behind `end`: nothing may be appended to this file any more.
 */
export async function appendFrame(
  descriptor: number,
  end: SegmentEnd,
  body: readonly Buffer[],
): Promise<SegmentEnd & { bodyOffset: number }> {
  const { header, digest } = encodeFrame(end.digest, body);
  const bytes = Buffer.concat([header, ...body]);
  await writeWhole(descriptor, bytes, end.size);
  await syncData(descriptor);
  return { size: end.size + bytes.length, digest, bodyOffset: end.size + FRAME_HEADER_BYTES };
}

/** The first record of a file, which says where it belongs. */
export type Opening = Extract<JournalRecord, { kind: 'journal' }>;

/** @throws {MusterError} payload_malformed: the file does not begin as one of ours does */
export function readOpening(file: string): Opening {
  return withFile(file, 'r', (descriptor) => {
    const source = sourceOf(descriptor, fstatSync(descriptor).size);
    const frame = readFrame(source, 0, firstPrevious(source));
    if (frame.kind !== 'good') throw new MusterError('payload_malformed', 'the journal is damaged at its beginning');
    const [first] = decodeRecords(frame.body, FRAME_HEADER_BYTES);
    if (first?.record.kind !== 'journal') throw new MusterError('payload_malformed', 'a journal file has no beginning');
    return first.record;
  });
}

/**
 * Reads a file that has a successor: of `size` bytes, all of them must be whole. `previous` is the digest that the file
 * before ended with; undefined when there is none any more.
 * @throws {MusterError} payload_malformed: damage
 */
export function readSealed(
  file: string,
  { size, previous }: { size: number; previous: Buffer | undefined },
  take: (placed: PlacedRecord) => void,
): SegmentEnd {
  return withFile(file, 'r', (descriptor) => {
    if (fstatSync(descriptor).size < size) throw damagedAt(size);
    const { end, isTorn } = readFrames(sourceOf(descriptor, size), previous, take);
    if (isTorn) throw damagedAt(end.size);
    return end;
  });
}

/**
 * Reads the newest file. A torn tail is cut off durably, since the next append must not join it; `cutBytes` counts it.
 * @throws {MusterError} payload_malformed: damage that no torn write explains
 */
export function readNewest(
  file: string,
  previous: Buffer | undefined,
  take: (placed: PlacedRecord) => void,
): Readonly<{ end: SegmentEnd; cutBytes: number }> {
  return withFile(file, 'r+', (descriptor) => {
    const { size } = fstatSync(descriptor);
    const { end } = readFrames(sourceOf(descriptor, size), previous, take);
    if (end.size < size) {
      ftruncateSync(descriptor, end.size);
      fdatasyncSync(descriptor);
    }
    return { end, cutBytes: size - end.size };
  });
}

/**
 * Bytes that an append wrote.
 * @throws {MusterError} storage_failed: they are not there any more
 */
export function readAt(descriptor: number, offset: number, length: number): Buffer {
  const bytes = readUpTo(descriptor, offset, length);
  if (bytes.length < length) throw new MusterError('storage_failed', 'a journal file has become shorter');
  return bytes;
}

/** Opens a file for as long as `work` takes. */
export function withFile<T>(file: string, flags: 'r' | 'r+', work: (descriptor: number) => T): T {
  const descriptor = openSync(file, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

type Source = Readonly<{ size: number; read: (offset: number, length: number) => Buffer }>;

function sourceOf(descriptor: number, size: number): Source {
  return { size, read: (offset, length) => readUpTo(descriptor, offset, Math.max(0, Math.min(length, size - offset))) };
}

function readFrames(
  source: Source,
  previous: Buffer | undefined,
  take: (placed: PlacedRecord) => void,
): { end: SegmentEnd; isTorn: boolean } {
  let end: SegmentEnd = { size: 0, digest: previous ?? firstPrevious(source) };
  while (end.size < source.size) {
    const frame = readFrame(source, end.size, end.digest);
    // A file gets its name once its first frame is on disk, so that one is never torn.
    if (frame.kind === 'torn' && end.size > 0) return { end, isTorn: true };
    if (frame.kind !== 'good') throw damagedAt(end.size);
    for (const placed of decodeRecords(frame.body, end.size + FRAME_HEADER_BYTES)) take(placed);
    end = { size: frame.end, digest: frame.digest };
  }
  if (end.size === 0) throw new MusterError('payload_malformed', 'a journal file is empty');
  return { end, isTorn: false };
}

function damagedAt(offset: number): MusterError {
  return new MusterError('payload_malformed', `the journal is damaged at byte ${offset}`);
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
