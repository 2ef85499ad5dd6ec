import { sha256Hex } from '../../protocol/envelope.js';
import type { StoredResult } from '../ingest/reported-result.js';
import type { ExecutionOutput } from '../services.js';
import type { OutputRow } from '../store/outputs.js';

/**
 * One stream of an execution, put together from its pieces, or from the result when all of it stood there.
 * Pieces are used in the order of their offsets; after a gap nothing is used. It is complete only when it has the length
 * and the hash that the node has signed.
 */
export function assembleOutput(
  stream: 'stdout' | 'stderr',
  { pieces, result }: { pieces: readonly OutputRow[]; result: StoredResult | undefined },
): ExecutionOutput {
  const truncated = result?.[`${stream}_truncated`] ?? false;
  const inline =
    result === undefined ? Buffer.alloc(0) : Buffer.from(result[stream], toEncoding(result[`${stream}_encoding`]));
  const streamed = contiguous(pieces);
  const longer = streamed.length >= inline.length && pieces.length > 0 ? streamed : inline;
  const whole = result === undefined ? undefined : [longer, inline].find((bytes) => isWhole(bytes, stream, result));
  return { stream, bytes: whole ?? longer, complete: whole !== undefined && !truncated, truncated };
}

/** Whether these are all the octets that the node captured, by the length and the hash that it has signed. */
export function isWhole(bytes: Buffer, stream: 'stdout' | 'stderr', result: StoredResult): boolean {
  return bytes.length === result[`${stream}_bytes`] && sha256Hex(bytes) === result[`${stream}_sha256`];
}

function contiguous(pieces: readonly OutputRow[]): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  for (const { offset, data, encoding } of [...pieces].sort((a, b) => a.offset - b.offset)) {
    if (offset !== length) break;
    const part = Buffer.from(data, toEncoding(encoding));
    parts.push(part);
    length += part.length;
  }
  return Buffer.concat(parts);
}

function toEncoding(encoding: string): 'utf8' | 'base64' {
  return encoding === 'base64' ? 'base64' : 'utf8';
}
