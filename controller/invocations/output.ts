import { sha256Hex } from '../../protocol/envelope.js';
import type { StoredResult } from '../ingest/reported-result.js';
import type { ExecutionOutput } from '../services.js';
import type { OutputRow } from '../store/outputs.js';

/**
 * One stream of an execution, put together from its pieces, or from the result when all of it stood there.
 * Pieces are used in the order of their offsets; after a gap nothing is used. It is complete only when it has the length
 * and the hash that the node has signed; of what was masked (`isMasked`: the result was) only how much of it came is known here.
 */
export function assembleOutput(
  stream: 'stdout' | 'stderr',
  {
    pieces,
    result,
    isMasked = false,
  }: { pieces: readonly OutputRow[]; result: StoredResult | undefined; isMasked?: boolean },
): ExecutionOutput {
  const truncated = result?.[`${stream}_truncated`] ?? false;
  const inline =
    result === undefined ? Buffer.alloc(0) : Buffer.from(result[stream], toEncoding(result[`${stream}_encoding`]));
  const streamed = contiguous(pieces);
  const longer = streamed.octets >= inline.length && pieces.length > 0 ? streamed.bytes : inline;
  const whole = result === undefined ? undefined : wholeOf(stream, { streamed, inline, longer, result, isMasked });
  return { stream, bytes: whole ?? longer, complete: whole !== undefined && !truncated, truncated };
}

function wholeOf(
  stream: 'stdout' | 'stderr',
  {
    streamed,
    inline,
    longer,
    result,
    isMasked,
  }: { streamed: Streamed; inline: Buffer; longer: Buffer; result: StoredResult; isMasked: boolean },
): Buffer | undefined {
  if (streamed.isMasked) return streamed.octets === result[`${stream}_bytes`] ? streamed.bytes : undefined;
  const whole = [longer, inline].find((bytes) => isWhole(bytes, stream, result));
  return whole ?? (isMasked && result.chunks === 0 ? inline : undefined); // without pieces all of it is in the result
}

/** Whether these are all the octets that the node captured, by the length and the hash that it has signed. */
export function isWhole(bytes: Buffer, stream: 'stdout' | 'stderr', result: StoredResult): boolean {
  return bytes.length === result[`${stream}_bytes`] && sha256Hex(bytes) === result[`${stream}_sha256`];
}

/** What there is from the beginning, and how many octets of the node's it stands for. */
type Streamed = Readonly<{ bytes: Buffer; octets: number; isMasked: boolean }>;

function contiguous(pieces: readonly OutputRow[]): Streamed {
  const parts: Buffer[] = [];
  let length = 0;
  let isMasked = false;
  for (const { offset, data, encoding, octets } of [...pieces].sort((a, b) => a.offset - b.offset)) {
    if (offset !== length) break;
    const part = Buffer.from(data, toEncoding(encoding));
    parts.push(part);
    length += octets ?? part.length;
    isMasked ||= octets !== null;
  }
  return { bytes: Buffer.concat(parts), octets: length, isMasked };
}

function toEncoding(encoding: string): 'utf8' | 'base64' {
  return encoding === 'base64' ? 'base64' : 'utf8';
}
