import { closeSync, ftruncateSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectoryDurably, syncDirectory } from '../../runtime/atomic-file.js';
import type { Place } from './entries.js';
import { CHAIN_START } from './frame.js';
import { encodeRecord, type JournalRecord } from './records.js';
import { appendFrame, readAt, type SegmentEnd, withFile } from './segment.js';

/** Where in the chain of files a new one stands: the members of its first record that the files know. */
export type OpeningPlace = Readonly<{ segment: number; oldest: number; previous_size: number }>;

/** The journal's files, oldest first; the newest is appended to. */
export type SegmentsState = Readonly<{
  /** Bytes that count, by number; the newest last. */
  sizes: Map<number, number>;
  newest: (SegmentEnd & { number: number }) | undefined;
}>;

/**
 * A journal on disk: files in one directory, each chained to the one before. One append at a time.
 */
export type Segments = Readonly<{
  /** In all files together. */
  readonly bytes: number;
  readonly oldest: number;
  readonly newest: number;
  /** Writes one frame; on disk when it resolves, with the place of the body. */
  append: (body: readonly Buffer[]) => Promise<Omit<Place, 'length'>>;
  /** Begins a new file: the one before is never written to again. */
  roll: () => Promise<void>;
  /** Removes the oldest file, after an append has said that it is not needed. */
  dropOldest: () => void;
  /** @throws {MusterError} storage_failed */
  read: (place: Place) => Buffer;
  close: () => void;
}>;

const NAME = /^\d{8,15}$/;

/** The numbers of the journal files in this directory, ascending. */
export function segmentNumbers(directory: string): number[] {
  return readdirSync(directory)
    .filter((name) => NAME.test(name))
    .map(Number)
    .sort((one, other) => one - other);
}

export function segmentFile(directory: string, number: number): string {
  return join(directory, String(number).padStart(8, '0'));
}

/**
 * The files of a journal that was read, or of a new one. `opening` gives the records that a new file begins with; a
 * file of `segmentBytes` is followed by a new one.
 */
export async function createSegments(
  directory: string,
  {
    state: { sizes, newest },
    opening,
    segmentBytes,
  }: { state: SegmentsState; opening: (place: OpeningPlace) => readonly JournalRecord[]; segmentBytes: number },
): Promise<Segments> {
  let end: SegmentEnd = newest ?? { size: 0, digest: CHAIN_START };
  let number = newest?.number ?? 0;
  let descriptor = newest === undefined ? -1 : openSync(segmentFile(directory, number), 'r+');
  /** False after a failure: what the disk holds of the newest file is unknown, so that a new one has to follow. */
  let mayAppend = newest !== undefined;

  /** Written beside, brought to disk, renamed, its name brought to disk: a file that has its name is whole. */
  async function roll(): Promise<void> {
    mayAppend = false;
    const next = number + 1;
    const file = segmentFile(directory, next);
    const [oldest = next] = sizes.keys();
    const records = opening({ segment: next, oldest, previous_size: end.size });
    const begun = openSync(`${file}.new`, 'w+', 0o600);
    try {
      const body = records.flatMap((record) => encodeRecord(record));
      const { size, digest } = await appendFrame(begun, { size: 0, digest: end.digest }, body);
      renameSync(`${file}.new`, file);
      syncDirectory(directory);
      if (descriptor !== -1) closeSync(descriptor);
      [descriptor, number, end] = [begun, next, { size, digest }];
    } catch (error) {
      closeSync(begun);
      rmSync(`${file}.new`, { force: true });
      throw error;
    }
    sizes.set(number, end.size);
    mayAppend = true;
  }

  /** What a full disk took of a failed write is room that the next file needs. */
  function giveBack(cause: unknown): never {
    try {
      ftruncateSync(descriptor, end.size);
    } catch {
      // It stays behind the end that the next file tells.
    }
    throw cause;
  }

  if (newest === undefined) {
    makeDirectoryDurably(directory);
    await roll();
  }

  return {
    get bytes() {
      return [...sizes.values()].reduce((sum, size) => sum + size, 0);
    },
    get oldest() {
      const [oldest = number] = sizes.keys();
      return oldest;
    },
    get newest() {
      return number;
    },
    async append(body) {
      if (!mayAppend || end.size >= segmentBytes) await roll();
      mayAppend = false;
      const { bodyOffset, ...appended } = await appendFrame(descriptor, end, body).catch(giveBack);
      end = appended;
      sizes.set(number, end.size);
      mayAppend = true;
      return { segment: number, offset: bodyOffset };
    },
    roll,
    dropOldest() {
      const [oldest = number] = sizes.keys();
      if (oldest === number) return;
      sizes.delete(oldest);
      rmSync(segmentFile(directory, oldest), { force: true });
    },
    read({ segment, offset, length }) {
      if (segment === number) return readAt(descriptor, offset, length);
      return withFile(segmentFile(directory, segment), 'r', (file) => readAt(file, offset, length));
    },
    close: () => closeSync(descriptor),
  };
}
