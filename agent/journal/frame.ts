import { createHash } from 'node:crypto';

/**
 * How records lie in the journal file. A frame is what one write and one fdatasync made durable together:
 *
 *     magic 4 ‖ body length u32 ‖ previous digest 16 ‖ digest 16 ‖ header check 4 ‖ body
 *
 * The digest is SHA-256(magic ‖ length ‖ previous digest ‖ body), cut to 16 bytes: frames form a chain, so that none
 * can be altered, left out or moved unseen. The header check covers the 40 bytes before it: a length that was damaged
 * is told from a write that was cut off. Integers are big-endian.
 */
const MAGIC = Buffer.from('MJ1\n', 'latin1');
const DIGEST_BYTES = 16;
const PREVIOUS_AT = 8;
const DIGEST_AT = 24;
const CHECK_AT = 40;

/** Bytes before the body. */
export const FRAME_HEADER_BYTES = 44;

/** No frame is larger; whoever writes cuts a long batch into several. */
export const MAX_FRAME_BODY_BYTES = 32 * 1024 * 1024;

/** A disk writes a sector whole or not at all; one that was never written reads as zeros. */
const SECTOR_BYTES = 512;

/** What the first frame of a file is chained to. */
export const CHAIN_START: Buffer = Buffer.alloc(DIGEST_BYTES);

/** One frame around this body, and the digest that the next one is chained to. */
export function encodeFrame(previous: Buffer, body: readonly Buffer[]): { header: Buffer; digest: Buffer } {
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(
    body.reduce((sum, part) => sum + part.length, 0),
    4,
  );
  previous.copy(header, PREVIOUS_AT);
  const digest = digestOf(header, body);
  digest.copy(header, DIGEST_AT);
  checkOf(header).copy(header, CHECK_AT);
  return { header, digest };
}

/** A file that is read in pieces; past its end `read` gives fewer bytes. */
export type FrameSource = Readonly<{ size: number; read: (offset: number, length: number) => Buffer }>;

/** What stands at a place of the file. `end` is where the next frame begins. */
export type FrameAt =
  | Readonly<{ kind: 'good'; body: Buffer; digest: Buffer; end: number }>
  | Readonly<{ kind: 'torn' | 'damaged' }>;

/**
 * Reads the frame at `offset`, which must be chained to `previous`. A bad frame is `torn` when it can be what a power
 * cut left of the last write: cut off by the end of the file, or with a sector of zeros, and nothing intact behind it.
 * Any other is `damaged`.
 */
export function readFrame(file: FrameSource, offset: number, previous: Buffer): FrameAt {
  const header = file.read(offset, FRAME_HEADER_BYTES);
  if (header.length < FRAME_HEADER_BYTES) return { kind: isBeginning(header) ? 'torn' : 'damaged' };
  const isIntact = checkOf(header).equals(header.subarray(CHECK_AT));
  const bodyBytes = header.readUInt32BE(4);
  const end = offset + FRAME_HEADER_BYTES + bodyBytes;
  if (isIntact && end <= file.size && bodyBytes <= MAX_FRAME_BODY_BYTES) {
    const body = file.read(offset + FRAME_HEADER_BYTES, bodyBytes);
    const digest = header.subarray(DIGEST_AT, CHECK_AT);
    const isNext = header.subarray(PREVIOUS_AT, DIGEST_AT).equals(previous);
    if (isNext && digestOf(header, [body]).equals(digest)) return { kind: 'good', body, digest, end };
  }
  const tail = file.read(offset, file.size - offset);
  const canBeTorn = (isIntact && end > file.size) || hasZeroSector(tail, offset);
  return { kind: canBeTorn && !hasFrameAfter(tail) ? 'torn' : 'damaged' };
}

/** Whether an intact header stands behind the bad frame: then its write had been completed, and it is not torn. */
function hasFrameAfter(tail: Buffer): boolean {
  for (let at = tail.indexOf(MAGIC, 1); at !== -1; at = tail.indexOf(MAGIC, at + 1)) {
    const header = tail.subarray(at, at + FRAME_HEADER_BYTES);
    if (header.length === FRAME_HEADER_BYTES && checkOf(header).equals(header.subarray(CHECK_AT))) return true;
  }
  return false;
}

/** Whether these bytes can be the first ones of a header: all zeros from some place on, before it the magic. */
function isBeginning(bytes: Buffer): boolean {
  const written = bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1).subarray(0, MAGIC.length);
  return written.equals(MAGIC.subarray(0, written.length));
}

/** Whether a sector of the file, as far as these bytes lie in it, was never written. */
function hasZeroSector(bytes: Buffer, fileOffset: number): boolean {
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + SECTOR_BYTES - ((fileOffset + at) % SECTOR_BYTES));
    if (bytes.subarray(at, next).every((byte) => byte === 0)) return true;
    at = next;
  }
  return false;
}

/** What the first frame of a file says it is chained to. */
export function firstPrevious(file: FrameSource): Buffer {
  const header = file.read(0, DIGEST_AT);
  return header.length < DIGEST_AT ? CHAIN_START : header.subarray(PREVIOUS_AT);
}

function digestOf(header: Buffer, body: readonly Buffer[]): Buffer {
  const hash = createHash('sha256').update(header.subarray(0, DIGEST_AT));
  for (const part of body) hash.update(part);
  return hash.digest().subarray(0, DIGEST_BYTES);
}

function checkOf(header: Buffer): Buffer {
  return createHash('sha256')
    .update(header.subarray(0, CHECK_AT))
    .digest()
    .subarray(0, FRAME_HEADER_BYTES - CHECK_AT);
}
